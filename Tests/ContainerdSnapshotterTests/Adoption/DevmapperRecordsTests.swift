import LayerStore
import Testing

@testable import ContainerdSnapshotter

/// Reads the databases of a real containerd.
struct DevmapperRecordsTests {
    @Test func readsTheSnapshotsOfARealContainerd() throws {
        let snapshots = try DevmapperRecords.snapshots(in: BoltFile(DevmapperFixture.bytes("metadata.db")).root)
        #expect(snapshots.map(\.kind) == [.committed, .committed, .committed, .active, .active])
        #expect(snapshots.map(\.id).sorted() == [1, 2, 3, 4, 6])
        let scratch = try #require(snapshots.first { $0.key.hasSuffix("/scratch") })
        #expect(scratch.parent.isEmpty)
        #expect(scratch.labels["containerd.io/snapshot/devmapper/fstype"] == "ext4")
        let stopped = try #require(snapshots.first { $0.key.hasSuffix("/stopped") })
        let parent = try #require(snapshots.first { $0.key == stopped.parent })
        #expect(parent.id == 3)
        #expect(parent.size == snapshots.first { $0.id == 2 }?.size)
        // December 2026, when the fixture was made.
        for snapshot in snapshots {
            #expect((1_796_000_000...1_796_200_000).contains(snapshot.created / 1_000_000_000))
            #expect(snapshot.updated >= snapshot.created)
        }
    }

    @Test func readsTheDevicesOfARealContainerd() throws {
        let devices = try DevmapperRecords.devices(in: BoltFile(DevmapperFixture.bytes("devpool.db")).root)
        #expect(devices.map(\.name) == [1, 2, 3, 4, 6].map { "devpool-snap-\($0)" })
        #expect(devices.map(\.number) == [1, 2, 3, 4, 6])
        #expect(devices.map(\.state) == [.deactivated, .deactivated, .deactivated, .activated, .activated])
        #expect(devices.allSatisfy { $0.size == 300 << 20 && $0.error.isEmpty })
    }

    @Test func refusesTheDatabaseOfSomethingElse() throws {
        let root = try BoltFile(DevmapperFixture.bytes("metadata.db")).root
        #expect(throws: BoltError.self) { try DevmapperRecords.devices(in: root) }
    }

    @Test func readsNumbersOfGo() {
        #expect(GoValue.unsignedNumber([0x96, 0x01]) == 150)
        #expect(GoValue.unsignedNumber([]) == nil)
        #expect(GoValue.unsignedNumber([0x80]) == nil)
        #expect(GoValue.unsignedNumber([1, 1]) == nil)
        #expect(GoValue.unsignedNumber([UInt8](repeating: 0xff, count: 9) + [1]) == .max)
        #expect(GoValue.unsignedNumber([UInt8](repeating: 0xff, count: 9) + [2]) == nil)
        #expect(GoValue.unsignedNumber([UInt8](repeating: 0x80, count: 12) + [1]) == nil)
        #expect(GoValue.number([2]) == 1)
        #expect(GoValue.number([1]) == -1)
        #expect(GoValue.number([UInt8](repeating: 0xff, count: 9) + [1]) == .min)
    }

    @Test func readsTimesOfGo() {
        let start: [UInt8] = [1, 0, 0, 0, 0x0e, 0x77, 0x91, 0xf7, 0x00]
        // The first of January 1970.
        #expect(GoValue.time(start + [0, 0, 0, 5, 0xff, 0xff]) == 5)
        #expect(GoValue.time([2] + start.dropFirst() + [0, 0, 0, 5, 0xff, 0xff, 0]) == 5)
        #expect(GoValue.time(start) == nil)
        #expect(GoValue.time([3] + start.dropFirst() + [0, 0, 0, 5, 0xff, 0xff]) == nil)
        #expect(GoValue.time([1] + [UInt8](repeating: 0xff, count: 14)) == nil)
        #expect(GoValue.time([1, 0x7f] + [UInt8](repeating: 0xff, count: 13)) == nil)
    }
}
