import LayerStore
import Testing
import ThinProvisioning

@testable import ContainerdSnapshotter

/// The decision about each snapshot, from values alone.
struct AdoptionPlanTests {
    private typealias Snapshot = DevmapperRecords.Snapshot
    private typealias Device = DevmapperRecords.Device

    private static let label = "containerd.io/snapshot/devmapper/fstype"

    /// An image of two layers, and a container.
    private func records() -> DevmapperRecords {
        var lower = Snapshot(id: 1, key: "default/1/lower", kind: .committed)
        (lower.size, lower.created, lower.updated) = (1000, 5_000_000_001, 6)
        lower.labels = ["containerd.io/snapshot/x": "y", "empty": ""]
        var upper = Snapshot(id: 2, key: "default/2/upper", parent: lower.key, kind: .committed)
        upper.size = 1500
        let container = Snapshot(id: 12, key: "default/3/container", parent: upper.key, kind: .active)
        return DevmapperRecords(
            snapshots: [lower, upper, container],
            devices: [(1, 1), (2, 2), (12, 7)].map { id, number in
                Device(
                    name: "pool-snap-\(id)", number: Int64(number), size: 1 << 20,
                    state: id == 12 ? .activated : .deactivated)
            })
    }

    private func plan(_ records: DevmapperRecords, _ numbers: [Int] = [1, 2, 7]) -> AdoptionPlan {
        AdoptionPlan(records, pool: "pool", thinDevices: Set(numbers.compactMap { ThinDeviceID($0) }))
    }

    @Test func makesALayerOfEachSnapshot() throws {
        let plan = plan(records())
        #expect(plan.refusals.isEmpty && plan.unclaimed.isEmpty)
        #expect(plan.baseSize == 1 << 20 && plan.filesystem == .ext4)
        #expect(
            plan.layers.map(\.id.text)
                == ["snapshot-0000000000000001", "snapshot-0000000000000002", "snapshot-0000000000000012"])
        #expect(plan.layers.map(\.formerDevice) == ["pool-snap-1", "pool-snap-2", "pool-snap-12"])
        #expect(plan.layers.map(\.record.deviceID.value) == [1, 2, 7])
        #expect(plan.layers.map(\.record.parent) == [nil, "snapshot-0000000000000001", "snapshot-0000000000000002"])
        let snapshots = plan.layers.compactMap(\.record.snapshot)
        #expect(snapshots.map(\.inheritedBytes) == [0, 1000, 1500])
        #expect(snapshots.map(\.committedBytes) == [1000, 1500, nil])
        #expect(snapshots.first?.labels == ["containerd.io/snapshot/x": "y"])
        #expect(snapshots.first.map { [$0.created, $0.updated] } == [5_000_000_001, 6])
        #expect(plan.layers.first?.record.created == 5)
    }

    @Test(arguments: DevmapperRecords.Device.State.allCases)
    func takesADeviceOnlyInAStateWithItsContent(_ state: DevmapperRecords.Device.State) {
        var records = records()
        records.devices["pool-snap-12"]?.state = state
        let isTaken = [
            .activating, .activated, .suspending, .suspended, .resuming, .resumed, .deactivating, .deactivated,
        ].contains(state)
        let plan = plan(records)
        #expect(plan.layers.count == (isTaken ? 3 : 2))
        #expect(plan.refusals.map(\.key) == (isTaken ? [] : ["default/3/container"]))
        // Its device is nobody's then, and has a name for a person.
        #expect(plan.unclaimed.map(\.known) == (isTaken ? [] : ["pool-snap-12, \(state)"]))
    }

    @Test func leavesOutWhatWasMadeFromARefusedSnapshot() {
        var records = records()
        records.devices["pool-snap-1"]?.state = .faulty
        records.devices["pool-snap-1"]?.error = "no such device"
        let plan = plan(records)
        #expect(plan.layers.isEmpty)
        #expect(
            plan.refusals.map(\.reason) == [
                "its device pool-snap-1 is faulty: no such device",
                "its parent “default/1/lower” cannot be taken over",
                "its parent “default/2/upper” cannot be taken over",
            ])
        #expect(plan.unclaimed.map(\.number.value) == [1, 2, 7])
    }

    @Test func refusesWhatHasNoContent() {
        var missing = records()
        missing.devices["pool-snap-12"] = nil
        #expect(plan(missing).refusals.map(\.reason) == ["containerd has no record of its device"])
        #expect(plan(records(), [1, 2]).refusals.map(\.reason) == ["the pool does not have its thin device 7"])
        var large = records()
        large.devices["pool-snap-12"]?.number = 1 << 24
        #expect(plan(large).refusals.map(\.reason) == ["the pool does not have its thin device 16777216"])
        var odd = records()
        odd.devices["pool-snap-12"]?.size = 1000
        #expect(plan(odd).refusals.count == 1)
    }

    @Test func refusesBothSnapshotsOfOneDevice() {
        var records = records()
        records.devices["pool-snap-12"]?.number = 2
        #expect(plan(records).layers.map(\.record.deviceID.value) == [1])
        #expect(plan(records).refusals.count == 2)
    }

    @Test func refusesParentsThatAreNone() {
        var lost = records()
        lost.snapshots[1].parent = "default/9/lost"
        #expect(
            plan(lost).refusals.first { $0.key == "default/2/upper" }?.reason
                == "its parent “default/9/lost” does not exist")
        var circle = records()
        circle.snapshots[0].parent = circle.snapshots[1].key
        #expect(plan(circle).layers.isEmpty)
        #expect(plan(circle).refusals.count == 3)
        var active = records()
        active.snapshots[1].kind = .active
        #expect(plan(active).refusals.map(\.reason) == ["its parent “default/2/upper” is active and not committed"])
    }

    @Test func aStoreHasOneFileSystem() {
        var mixed = records()
        mixed.snapshots[2].labels[Self.label] = "xfs"
        #expect(plan(mixed).filesystem == .ext4)
        #expect(
            plan(mixed).refusals.map(\.reason)
                == ["it has the file system xfs, most others have ext4, and a store has only one"])
        var small = records()
        for index in small.snapshots.indices { small.snapshots[index].labels[Self.label] = "ext2" }
        #expect(plan(small).filesystem == .ext4 && plan(small).layers.count == 3)
        var other = records()
        for index in other.snapshots.indices { other.snapshots[index].labels[Self.label] = "xfs" }
        #expect(plan(other).filesystem == .xfs && plan(other).layers.count == 3)
        other.snapshots[2].labels[Self.label] = "zfs"
        #expect(plan(other).refusals.count == 1)
    }

    @Test func namesTheDevicesOfNobody() {
        var records = records()
        records.devices["pool-snap-4"] = .init(name: "pool-snap-4", number: 4, size: 1 << 20, state: .removed)
        let plan = plan(records, [1, 2, 4, 7, 99])
        #expect(plan.layers.count == 3)
        #expect(plan.unclaimed.map(\.number.value) == [4, 99])
        #expect(plan.unclaimed.map(\.known) == ["pool-snap-4, removed", nil])
    }
}
