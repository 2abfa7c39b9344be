import Testing

@testable import ContainerdSnapshotter

/// Databases that are written, and the other name in containerd's own.
struct SnapshotterRenamingTests {
    private static func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    private static func bucket(_ items: [(String, BoltBucket.Item)], sequence: UInt64 = 0) -> BoltBucket {
        BoltBucket(
            entries: items.map { .init(key: bytes($0.0), item: $0.1) }
                .sorted { $0.key.lexicographicallyPrecedes($1.key) }, sequence: sequence)
    }

    private func meta() throws -> BoltMeta {
        try #require(BoltMeta.newest(in: DevmapperFixture.bytes("devpool.db")))
    }

    @Test(arguments: ["metadata.db", "devpool.db"])
    func writesWhatItHasRead(_ name: String) throws {
        let file = try BoltFile(DevmapperFixture.bytes(name))
        let written = try BoltFile(BoltWriter.file(file.root, like: file.meta))
        #expect(written.root == file.root)
        #expect(written.meta.transaction > file.meta.transaction)
        #expect(written.meta.pageSize == file.meta.pageSize)
    }

    /// Trees of several levels, keys and values that are larger than a page, and buckets that are empty.
    @Test(arguments: [0, 1, 50, 20_000])
    func writesBucketsOfAnySize(_ count: Int) throws {
        let values = (0..<count).map { number in
            ("key \(number)", BoltBucket.Item.value([UInt8](repeating: 7, count: number % 97)))
        }
        let odd: [(String, BoltBucket.Item)] = [
            ("large", .value([UInt8](repeating: 1, count: 100_000))),
            (String(repeating: "long", count: 3000), .value([])), ("none", .bucket(BoltBucket(sequence: 5))),
        ]
        let root = Self.bucket(
            [
                ("many", .bucket(Self.bucket(values, sequence: 9))), ("odd", .bucket(Self.bucket(odd))),
                ("nested", .bucket(Self.bucket([("inner", .bucket(Self.bucket(odd)))]))),
            ], sequence: 3)
        #expect(try BoltFile(BoltWriter.file(root, like: meta())).root == root)
    }

    private static func database(_ name: String) -> BoltBucket {
        let labels = bucket([
            ("containerd.io/gc.ref.snapshot.\(name)", .value(bytes("sha256:1"))),
            ("containerd.io/gc.ref.snapshot.\(name)/x", .value(bytes("sha256:2"))),
            ("containerd.io/gc.ref.snapshot.devmapper2", .value(bytes("sha256:3"))),
            ("containerd.io/gc.ref.content.0", .value(bytes("devmapper"))),
        ])
        let snapshots = bucket(
            [("sha256:1", .bucket(bucket([("name", .value(bytes("default/1/sha256:1")))])))], sequence: 7)
        let container = bucket([("snapshotter", .value(bytes(name))), ("snapshotKey", .value(bytes("one")))])
        let other = bucket([("snapshotter", .value(bytes("overlayfs")))])
        let namespace = bucket([
            ("snapshots", .bucket(bucket([(name, .bucket(snapshots)), ("overlayfs", .bucket(snapshots))]))),
            ("containers", .bucket(bucket([("one", .bucket(container)), ("two", .bucket(other))]))),
            (
                "leases",
                .bucket(
                    bucket([("l", .bucket(bucket([("snapshots", .bucket(bucket([(name, .bucket(snapshots))])))])))]))
            ),
            ("labels", .bucket(bucket([("containerd.io/defaults/snapshotter", .value(bytes(name)))]))),
            (
                "content",
                .bucket(
                    bucket([("blob", .bucket(bucket([("sha256:9", .bucket(bucket([("labels", .bucket(labels))])))])))]))
            ),
        ])
        return bucket([("v1", .bucket(bucket([("default", .bucket(namespace)), ("version", .value([3]))])))])
    }

    @Test func renamesEverythingThatNamesTheSnapshotter() throws {
        let before = try BoltFile(BoltWriter.file(Self.database("devmapper"), like: meta()))
        let renaming = try SnapshotterRenaming(before, from: "devmapper", to: "dmlayer")
        #expect(try BoltFile(renaming.content).root == Self.database("dmlayer"))
        #expect(renaming.snapshotCount == 1 && renaming.containerCount == 1)
        let back = try SnapshotterRenaming(BoltFile(renaming.content), from: "dmlayer", to: "devmapper")
        #expect(try BoltFile(back.content).root == before.root)
    }

    @Test func refusesANameThatHasSnapshots() throws {
        let before = try BoltFile(BoltWriter.file(Self.database("devmapper"), like: meta()))
        #expect(throws: BoltError.self) { try SnapshotterRenaming(before, from: "devmapper", to: "overlayfs") }
    }
}
