import SystemPackage
import TestSupport

/// Layers that Docker wrote, with the contents of the devices that it made of them.
struct DockerFixture {
    /// A layer of an image.
    struct Layer {
        /// How the name of the layer's directory begins in the archive that `docker save` wrote.
        let archive: String
        /// How the name of the layer's device begins.
        let device: String
        /// The size of the layer that Docker recorded, in bytes.
        let size: Int64
        /// The file with what `docker diff` printed, if there is one.
        var changes: String?
    }

    static let chain = [
        Layer(archive: "c5ce0542", device: "c0cb3784", size: 2_889_830),
        Layer(archive: "8a0afa51", device: "6488c028", size: 67_108_936, changes: "diff-b2.txt"),
        Layer(archive: "376f6555", device: "4184030a", size: 906_672, changes: "diff-b3.txt"),
        Layer(archive: "b03f78e5", device: "5a1bd04b", size: 5, changes: "diff-b4.txt"),
    ]
    static let built = [
        chain[0],
        Layer(archive: "f5a18ad6", device: "d73dfe36", size: 7),
        Layer(archive: "d85e777d", device: "a6f81e06", size: 6),
        Layer(archive: "d3d73a3b", device: "8ded28a5", size: 2),
        Layer(archive: "9fb1af5b", device: "6a9777f1", size: 0),
    ]

    private let source: FilePath
    private let unpacked: TemporaryDirectory

    init() throws {
        source = ProjectFolder.path.appending("fixtures/docker-20.10-ext4")
        unpacked = try TemporaryDirectory(
            """
            xz -dc '\(source)/save-all.tar.xz' | tar -xf -
            xz -dc '\(source)/manifests.tar.xz' | tar -xf -
            """)
    }

    /// The archive of a layer, as Docker exported it.
    func archive(of layer: Layer) throws -> Archive {
        Archive(try Program.output(["sh", "-c", "cat \(unpacked.path)/\(layer.archive)*/layer.tar"]))
    }

    /// The files on a layer's device, without those beside its root file system.
    func files(of layer: Layer) throws -> [ManifestFile] {
        let lines = try Program.output(["sh", "-c", "cat \(unpacked.path)/\(layer.device)*.jsonl"])
        return try ManifestFile.files(lines, below: "/rootfs/")
    }

    /// The lines that `docker diff` printed; a name with a newline in it takes two.
    func changes(of layer: Layer) throws -> [String]? {
        guard let changes = layer.changes else { return nil }
        let file = try Program.output(["cat", source.appending(changes).string])
        return String(decoding: file, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
