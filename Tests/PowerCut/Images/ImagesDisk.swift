import SystemPackage
import TestSupport

/// A disk with a store for images, in the sandbox, and the archives that it gets.
struct ImagesDisk {
    /// The images; all have the layer `base` below their own, and `extra` is for the verification.
    static let images = ["one", "two", "three"]
    static let mountPoint: FilePath = "/run/images"
    private static let archives: FilePath = "/tmp/archives"

    let program: FilePath
    /// The root of the store.
    var root: FilePath { Self.mountPoint.appending("store") }

    /// Mounts a disk, and makes the archives, which are the same each time.
    init(_ disk: String, program: FilePath) throws {
        self.program = program
        try Shell.run(
            """
            set -e
            mkdir -p '\(Self.mountPoint)' '\(Self.archives)'
            mount '\(disk)' '\(Self.mountPoint)'
            cd '\(Self.archives)'
            for layer in base \(Self.images.joined(separator: " ")) extra; do
                mkdir -p tree/$layer
                for file in 1 2 3 4 5 6; do yes "$layer $file" | head -c 150000 > tree/$layer/$file; done
                tar --sort=name --mtime=@0 --owner=0 --group=0 -C tree -cf $layer.layer .
                rm -r tree
            done
            for image in \(Self.images.joined(separator: " ")) extra; do
                digests=$(sha256sum base.layer $image.layer | sed 's/ .*//; s/.*/"sha256:&"/' | paste -sd ,)
                printf '{"os":"linux","rootfs":{"type":"layers","diff_ids":[%s]}}' "$digests" > config.json
                printf '[{"Config":"config.json","RepoTags":["%s:1"],"Layers":["base.layer","%s.layer"]}]' \
                    $image $image > manifest.json
                tar -cf $image.tar manifest.json config.json base.layer $image.layer
            done
            """)
    }

    func detach() throws { try Shell.run("umount '\(Self.mountPoint)'") }

    /// Runs dmlayer on the store.
    @discardableResult
    func layer(_ arguments: String) throws -> String {
        try Shell.run("'\(program)' --root '\(root)' \(arguments)")
    }

    func initialize() throws {
        try layer(Workload.options.map { "--storage-opt \($0)" }.joined(separator: " ") + " init")
    }

    func importImage(_ image: String) throws { try layer("image import '\(Self.archives)/\(image).tar'") }

    func removeImage(_ image: String) throws { try layer("image remove \(image):1") }
}
