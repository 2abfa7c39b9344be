import SystemPackage
import TestSupport
import Testing

@testable import ContainerdSnapshotter

/// Databases of bbolt: those that a real containerd wrote, whole and damaged.
struct BoltFileTests {
    private let metadata: [UInt8]
    private let pool: [UInt8]

    init() throws {
        metadata = try DevmapperFixture.bytes("metadata.db")
        pool = try DevmapperFixture.bytes("devpool.db")
    }

    @Test func readsBucketsInBuckets() throws {
        let root = try BoltFile(metadata).root
        let snapshots = try #require(root.bucket("v1")?.bucket("snapshots"))
        #expect(snapshots.entries.count == 5)
        #expect(snapshots.entries.first.map { String(decoding: $0.key, as: UTF8.self) }?.hasPrefix("default/") == true)
        #expect(root.value("v1") == nil)
        #expect(root.bucket("nothing") == nil)
    }

    /// A writer changes the two pages at the beginning in turns, and one of them can be half written.
    @Test func takesTheOtherPageWhenOneIsDamaged() throws {
        for page in [0, 4096] {
            var damaged = pool
            damaged[page + 16 + 48] ^= 0xff
            let read = try BoltFile(damaged)
            #expect(read.root.bucket("devices") != nil)
            // bbolt writes the first page in every transaction with an even number.
            #expect(read.meta.transaction % 2 == (page == 0 ? 1 : 0))
        }
        var both = pool
        for page in [0, 4096] { both[page + 16] ^= 1 }
        #expect(throws: BoltError.self) { try BoltFile(both) }
    }

    @Test func takesTheNewerPage() throws {
        let metas = [0, 4096].map { BoltNumbers(pool[($0 + 16)...]).uint64(48) }
        let newest = try #require(BoltMeta.newest(in: pool))
        #expect(newest.transaction == metas.max())
        #expect(newest.pageSize == 4096)
    }

    @Test(arguments: [[], [1, 2, 3], [UInt8](repeating: 0, count: 8192), [UInt8](repeating: 0xff, count: 70_000)])
    func refusesAnythingElse(_ bytes: [UInt8]) {
        #expect(throws: BoltError.self) { try BoltFile(bytes) }
    }

    /// However much is missing, the file is refused or is read as it was.
    @Test func refusesAFileThatWasCutShort() throws {
        let whole = try BoltFile(metadata).root
        for length in stride(from: 0, to: metadata.count, by: 512) {
            guard let read = try? BoltFile(Array(metadata.prefix(length))).root else { continue }
            #expect(read == whole, "\(length) bytes")
        }
    }

    /// A byte that changed makes an error or another value, and never a trap.
    @Test func survivesAnyChange() throws {
        var refused = 0
        for bytes in [metadata, pool] {
            for place in stride(from: 0, to: min(bytes.count, 1 << 16), by: 61) {
                for change: UInt8 in [0x01, 0x80, 0xff] {
                    var damaged = bytes
                    damaged[place] ^= change
                    if (try? DevmapperFixture.records(damaged)) == nil { refused += 1 }
                }
            }
        }
        #expect(refused > 0)
    }

    @Test func refusesAPageThatIsItsOwnChild() throws {
        var bytes = pool
        let meta = try #require(BoltMeta.newest(in: bytes))
        let start = Int(meta.root) * meta.pageSize
        // One entry of a branch, which leads to its own page.
        bytes.replaceSubrange(
            (start + 8)..<(start + 12), with: [0x01, 0, 1, 0])
        bytes.replaceSubrange(
            (start + 16)..<(start + 32), with: [16, 0, 0, 0, 0, 0, 0, 0] + Self.bytes(meta.root))
        let error = #expect(throws: BoltError.self) { try BoltFile(bytes) }
        #expect(error?.description.contains("is in two places") == true)
    }

    private static func bytes(_ number: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }
}

/// The databases of containerd 1.7 in `fixtures/containerd-1.7-devmapper`.
enum DevmapperFixture {
    static func bytes(_ name: String) throws -> [UInt8] {
        let path = ProjectFolder.path.appending("fixtures/containerd-1.7-devmapper").appending(name)
        let file = try FileDescriptor.open(path, .readOnly)
        return try file.closeAfter {
            var bytes: [UInt8] = []
            var part = [UInt8](repeating: 0, count: 1 << 16)
            while case let count = try unsafe part.withUnsafeMutableBytes({ unsafe try file.read(into: $0) }), count > 0
            {
                bytes += part[..<count]
            }
            return bytes
        }
    }

    /// Everything that a database can say, whichever of the two it is.
    static func records(_ bytes: [UInt8]) throws {
        let root = try BoltFile(bytes).root
        if root.bucket("devices") != nil { _ = try DevmapperRecords.devices(in: root) }
        _ = try DevmapperRecords.snapshots(in: root)
    }
}
