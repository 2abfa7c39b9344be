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

    /// bbolt ends its program when it merges a page above leaves that leads to one page only.
    @Test func leavesNoPageAboveLeavesWithOneEntry() throws {
        let meta = try meta()
        var found = 0
        for count in stride(from: 1200, through: 1500, by: 16) {
            let entries = (10_000..<10_000 + count).map { number in
                (
                    String(repeating: "k", count: 66) + "\(number)",
                    BoltBucket.Item.value([UInt8](repeating: 1, count: 40))
                )
            }
            let file = BoltWriter.file(Self.bucket(entries), like: meta)
            for start in stride(from: 0, to: file.count, by: meta.pageSize) {
                let head = BoltNumbers(file[start...].prefix(BoltMeta.headerSize))
                guard head.uint64(0) == UInt64(start / meta.pageSize), head.uint16(8) == 1 else { continue }
                found += 1
                #expect(head.uint16(10) > 1, "\(count) entries, page \(head.uint64(0))")
            }
        }
        #expect(found > 30)
    }

    /// The last number of a transaction comes before the first.
    @Test func writesBehindTheLastTransaction() throws {
        var bytes = try DevmapperFixture.bytes("devpool.db")
        let file = try BoltFile(bytes)
        for page in [0, file.meta.pageSize] {
            bytes.replaceSubrange((page + 64)..<(page + 72), with: [UInt8](repeating: 0xff, count: 8))
            let sum = BoltMeta.checksum(bytes[(page + 16)..<(page + 72)])
            bytes.replaceSubrange(
                (page + 72)..<(page + 80), with: (0..<8).map { UInt8(truncatingIfNeeded: sum >> ($0 * 8)) })
        }
        let last = try BoltFile(bytes)
        #expect(last.meta.transaction == .max)
        #expect(try BoltFile(BoltWriter.file(last.root, like: last.meta)).root == last.root)
    }

    private static func database(_ name: String) -> BoltBucket {
        let labels = bucket([
            ("containerd.io/gc.ref.snapshot.\(name)", .value(bytes("sha256:1"))),
            ("containerd.io/gc.ref.snapshot.\(name)/x", .value(bytes("sha256:2"))),
            ("containerd.io/gc.bref.snapshot.\(name)", .value(bytes("sha256:1"))),
            ("containerd.io/gc.cond.snapshot.\(name)/y", .value(bytes("sha256:1"))),
            ("containerd.io/gc.ref.snapshot.devmapper2", .value(bytes("sha256:3"))),
            ("containerd.io/gc.ref.snapshot.devmapper.x", .value(bytes("sha256:3"))),
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

    /// containerd keeps the bucket of a snapshotter whose last snapshot is gone.
    @Test func takesANameWhoseSnapshotsAreGone() throws {
        var root = Self.database("devmapper")
        try root.change("v1") { all throws(BoltError) in
            try all.change("default") { namespace throws(BoltError) in
                try namespace.change("snapshots") { snapshots throws(BoltError) in
                    snapshots.entries.append(.init(key: Self.bytes("zfs"), item: .bucket(BoltBucket(sequence: 4))))
                }
            }
        }
        let before = try BoltFile(BoltWriter.file(root, like: meta()))
        let renaming = try SnapshotterRenaming(before, from: "devmapper", to: "zfs")
        #expect(try BoltFile(renaming.content).root == Self.database("zfs"))
    }

    @Test func refusesANameThatHasSnapshots() throws {
        let before = try BoltFile(BoltWriter.file(Self.database("devmapper"), like: meta()))
        #expect(throws: BoltError.self) { try SnapshotterRenaming(before, from: "devmapper", to: "overlayfs") }
    }
}
