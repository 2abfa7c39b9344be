#if Images
import Images
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Images of archives in a store, and out again.
@Suite(.serialized) struct ImageImportTests {
    private let images: ImageStoreFixture

    init() throws { images = try ImageStoreFixture() }

    private var maker: ImageArchiveMaker { images.maker }

    /// Saves an image; its configuration and layers, in their order.
    private func saved(_ name: String) throws -> [String] {
        let archive = maker.folder.appending("saved.tar")
        try images.done("image save \(name) --output '\(archive)'")
        return try images.contents(of: archive)
    }

    private func digests(_ layers: [[UInt8]]) -> [String] {
        ([Array(maker.configuration(layers).utf8)] + layers).map { ContentDigest(of: $0).hexadecimal }
    }

    @Test func takesWhatDockerSaved() throws {
        let archive = maker.folder.appending("docker.tar")
        try Shell.run("xz -dc '\(DockerRootFixture.files)/save-all.tar.xz' > '\(archive)'")
        #expect(
            try images.done("image import '\(archive)'") == """
                fixture/base:1  f68510d054f0  1 layer, 1 new
                fixture/chain:v2  e3db127dbbc6  2 layers, 1 new
                fixture/chain:v3  33022d40088d  3 layers, 1 new
                fixture/chain:v4  56ea32869787  4 layers, 1 new
                fixture/built:v1  ce53bfb0d835  5 layers, 4 new
                """)
        let state = try images.state()
        #expect(state.layers.count == 8 && state.contents == state.layers && state.work == [])
        // Layers that are there already cost nothing.
        #expect(
            try images.done("image import '\(archive)'").split(separator: "\n").allSatisfy { $0.hasSuffix(", 0 new") })
        #expect(try images.state() == state)

        try images.done("image save --all --output '\(maker.folder)/saved.tar'")
        let before = Set(try images.contents(of: archive))
        #expect(try Set(images.contents(of: maker.folder.appending("saved.tar"))) == before)
        #expect(before.count == 5 + 8)

        try images.done("create container --image fixture/chain:v4")
        #expect(try images.fixture.store.read("data/four", in: LayerID("container")) == "four")
        try images.done("remove container")
        try images.done(
            "image remove fixture/base:1 fixture/chain:v2 fixture/chain:v3 56ea32869787 fixture/built:v1")
        #expect(try images.state() == .nothing)
        try images.fixture.finish()
    }

    /// Each file comes back with the bytes that its archive had, however the archive has them.
    @Test func savesEachArchiveAsItWas() throws {
        let hurting = """
            mkdir -p a/b c; echo one > a/file; ln a/file c/other; ln -s ../a/file c/link; mkfifo pipe; mknod disk b 7 3
            printf x > "$(printf 'n%.0s' $(seq 255))"; printf x > "$(printf 'bad\\377name')"
            echo s > set; chmod 6755 set; mkdir sticky; chmod 1777 sticky; chown 1234:70000 a/file
            setfattr -n user.test -v value a/file; setcap cap_net_raw+ep set
            truncate -s 5M holes; printf end >> holes; head -c 3000000 /dev/urandom > large
            touch -d 1950-01-01T00:00:00.123456789 c/old
            """
        let layers = [
            try maker.layer(hurting), try maker.layer("mkdir a; touch a/.wh.file c .wh..wh..opq"),
            try maker.layer(":"), try maker.layer(hurting, tar: "--format=pax --sparse --xattrs"),
            try maker.layer(hurting, tar: "--format=gnu --sparse"),
            try maker.layer("echo old > v7", tar: "--format=v7"),
            try maker.layer(
                "mkdir .wh..wh.plnk; echo aufs > .wh..wh.plnk/1.2; ln .wh..wh.plnk/1.2 file; echo x > .wh..wh.aufs"),
        ]
        let parts = maker.docker("hurting:1", layers)
        try images.done("image import '\(maker.write(parts))'")
        #expect(try saved("hurting:1") == digests(layers))
        try images.done("image remove hurting:1")
        #expect(try images.state() == .nothing)
        try images.fixture.finish()
    }

    @Test(arguments: [
        "cat", "gzip -c", "zstd -qc", "zstd -qc -1 --long=27",
    ])
    func takesCompressedLayersAndArchives(program: String) throws {
        let layers = [
            try maker.layer("head -c 2000000 /dev/urandom > random; yes | head -c 3000000 > text"),
            try maker.layer("echo second > text"),
        ]
        let stored = try layers.map { try maker.passing($0, through: program) }
        let archive = try maker.write(maker.layout("docker.io/library/oci:2", layers, stored: stored))
        #expect(try images.done("image import '\(archive)'").hasPrefix("oci:2  "))
        #expect(try saved("oci:2") == digests(layers))
        try images.done("image remove oci:2")
        // The archive as a whole, from a pipe.
        let (status, output) = try images.importing(from: "{ \(program); } < '\(archive)'")
        #expect(status == 0 && output.hasSuffix("2 layers, 2 new"), "\(output)")
        // The folder of a layout; its image is there already.
        let folder = try images.fixture.scratch.makeDirectory("layout")
        try Shell.run("tar -C '\(folder)' -xf '\(archive)'")
        #expect(try images.done("image import '\(folder)' --name other:3").hasSuffix("2 layers, 0 new"))
        #expect(try images.state().images.map { $0.prefix(7) } == ["oci:2 s", "other:3"])
        try images.done("image remove oci:2")
        #expect(try saved("other:3") == digests(layers))
        try images.done("image remove other:3")
        #expect(try images.state() == .nothing)
        try images.fixture.finish()
    }

    /// A name goes from one image to another, and an image without a name is found by its id.
    @Test func movesANameToANewImage() throws {
        let (one, two) = ([try maker.layer("echo 1 > file")], [try maker.layer("echo 2 > file")])
        for layers in [one, two] { try images.done("image import '\(maker.write(maker.docker("app:1", layers)))'") }
        let old = ContentDigest(of: Array(maker.configuration(one).utf8))
        #expect(try images.state().images.contains("<none>:<none> \(old)"))
        #expect(try saved(old.short) == digests(one))
        let refused = try images.run("image remove nothing")
        #expect(refused.status == 1 && refused.output.contains("there is no image nothing"))
        try images.done("image remove \(old.short)")
        #expect(try saved("app:1") == digests(two))
        try images.done("image remove app:1")
        #expect(try images.state() == .nothing)
        try images.fixture.finish()
    }

    /// Two processes import the same images at once: one waits for the other.
    @Test func importsOnceWhereTwoProcessesImport() throws {
        let layers = try (0..<3).map { try maker.layer("head -c 100000 /dev/urandom > file-\($0)") }
        let archive = try maker.write(maker.docker("twice:1", layers))
        let program = "'\(DMLayerCommand.path)' --root '\(images.fixture.root)' image import '\(archive)'"
        let output = try Shell.run("\(program) & \(program); wait")
        #expect(output.split(separator: "\n").map { $0.suffix(5) }.sorted() == ["0 new", "3 new"])
        #expect(try saved("twice:1") == digests(layers))
        try images.done("image remove twice:1")
        #expect(try images.state() == .nothing)
        try images.fixture.finish()
    }
}
#endif
