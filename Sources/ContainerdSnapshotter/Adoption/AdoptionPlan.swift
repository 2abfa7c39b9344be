public import LayerStore
public import ThinProvisioning

/// How the snapshots of containerd's own devmapper snapshotter become layers of a store.
///
/// It is worked out from values alone: the records of containerd, and the devices of the pool. These always hold:
///
/// * a snapshot becomes a layer only if its device is in the pool, in a state in which its content is whole, and no other
///   snapshot has the same device;
/// * a snapshot becomes a layer only if its parent does;
/// * a device that no snapshot has stays as it is, and is named.
public struct AdoptionPlan: Hashable, Sendable {
    /// A snapshot that cannot become a layer.
    public struct Refusal: Hashable, Sendable {
        /// The key of the snapshot.
        public let key: String
        /// The reason, as the end of a sentence about the snapshot.
        public let reason: String
    }

    /// A thin device of the pool that no snapshot has.
    public struct Unclaimed: Hashable, Sendable {
        /// The number of the device in the pool.
        public let number: ThinDeviceID
        /// The name that containerd has for it, and what it did with it last; `nil` where containerd does not know it.
        public let known: String?
    }

    /// The layers, in the order of their snapshots' keys.
    public private(set) var layers: [AdoptedLayer] = []
    /// The snapshots that cannot become layers, in the order of their keys.
    public private(set) var refusals: [Refusal] = []
    /// The thin devices that stay as they are.
    public private(set) var unclaimed: [Unclaimed] = []
    /// The file system of the store: that of its snapshots.
    public private(set) var filesystem: StorageOptions.Filesystem = .ext4
    /// The size of the newest device that was made without a parent, in bytes; `nil` where there is none.
    public private(set) var baseSize: UInt64?

    private static let filesystemLabel = "containerd.io/snapshot/devmapper/fstype"

    /// - Parameters:
    ///   - records: The snapshots and devices in containerd's databases.
    ///   - pool: The name of the pool.
    ///   - thinDevices: The numbers of the pool's thin devices.
    init(_ records: DevmapperRecords, pool: String, thinDevices: Set<ThinDeviceID>) {
        let snapshots = records.snapshots.sorted { SnapshotKey($0.key) < SnapshotKey($1.key) }
        filesystem = Self.filesystem(of: snapshots)
        var candidates: [SnapshotKey: Candidate] = [:]
        for snapshot in snapshots {
            let device = records.devices["\(pool)-snap-\(snapshot.id)"]
            candidates[SnapshotKey(snapshot.key)] = Candidate(snapshot, device)
        }
        let shared = Self.shared(snapshots, records, pool)
        for key in candidates.keys { candidates[key]?.examine(filesystem, thinDevices, shared) }
        Self.refuseChildren(snapshots, &candidates)
        for snapshot in snapshots {
            guard let candidate = candidates[SnapshotKey(snapshot.key)] else { continue }
            if let reason = candidate.refusal {
                refusals.append(Refusal(key: snapshot.key, reason: reason))
            } else if let layer = candidate.layer(parent: candidates[SnapshotKey(snapshot.parent)]) {
                layers.append(layer)
            }
        }
        let roots = snapshots.filter { $0.parent.isEmpty && candidates[SnapshotKey($0.key)]?.refusal == nil }
        baseSize = roots.max { $0.id < $1.id }.flatMap { records.devices["\(pool)-snap-\($0.id)"]?.size }
        unclaimed = Self.unclaimed(records, thinDevices, but: Set(layers.map(\.record.deviceID)))
    }

    /// The file system that most snapshots have.
    private static func filesystem(of snapshots: [DevmapperRecords.Snapshot]) -> StorageOptions.Filesystem {
        let xfs = snapshots.count { Candidate.filesystem(of: $0) == .xfs }
        return xfs * 2 > snapshots.count ? .xfs : .ext4
    }

    /// The numbers that more than one snapshot has, by its device or by its id.
    private static func shared(
        _ snapshots: [DevmapperRecords.Snapshot], _ records: DevmapperRecords, _ pool: String
    ) -> Set<Int64> {
        var counts: [Int64: Int] = [:]
        for snapshot in snapshots {
            guard let device = records.devices["\(pool)-snap-\(snapshot.id)"] else { continue }
            counts[device.number, default: 0] += 1
        }
        return Set(counts.filter { $0.value > 1 }.keys)
    }

    /// Refuses the snapshots whose parents are no layers, generation after generation.
    private static func refuseChildren(
        _ snapshots: [DevmapperRecords.Snapshot], _ candidates: inout [SnapshotKey: Candidate]
    ) {
        // A snapshot becomes sure when its parent is. A snapshot that is not reached has no chain of parents to one without a parent.
        var children: [SnapshotKey: [SnapshotKey]] = [:]
        var sure: [SnapshotKey] = []
        for snapshot in snapshots {
            let key = SnapshotKey(snapshot.key)
            if !snapshot.parent.isEmpty {
                children[SnapshotKey(snapshot.parent), default: []].append(key)
            } else if candidates[key]?.refusal == nil {
                sure.append(key)
            }
        }
        var reached: Set<SnapshotKey> = []
        while let key = sure.popLast() {
            guard reached.insert(key).inserted, candidates[key]?.snapshot.kind == .committed else { continue }
            sure += (children[key] ?? []).filter { candidates[$0]?.refusal == nil }
        }
        for snapshot in snapshots {
            let key = SnapshotKey(snapshot.key)
            guard !reached.contains(key), candidates[key]?.refusal == nil else { continue }
            let parent = candidates[SnapshotKey(snapshot.parent)]
            candidates[key]?.refusal =
                switch parent?.snapshot.kind {
                case nil: "its parent “\(snapshot.parent)” does not exist"
                case .committed?: "its parent “\(snapshot.parent)” cannot be taken over"
                case let kind?: "its parent “\(snapshot.parent)” is \(kind.rawValue) and not committed"
                }
        }
    }

    private static func unclaimed(
        _ records: DevmapperRecords, _ thinDevices: Set<ThinDeviceID>, but taken: Set<ThinDeviceID>
    ) -> [Unclaimed] {
        var known: [Int64: DevmapperRecords.Device] = [:]
        for device in records.devices.values.sorted(by: { $0.name < $1.name }) { known[device.number] = device }
        return thinDevices.subtracting(taken).sorted().map { number in
            Unclaimed(
                number: number, known: known[Int64(number.value)].map { "\($0.name), \($0.state)" })
        }
    }

    // MARK: One snapshot

    /// A snapshot with its device, and the reason why it cannot become a layer.
    private struct Candidate {
        let snapshot: DevmapperRecords.Snapshot
        let device: DevmapperRecords.Device?
        var refusal: String?

        init(_ snapshot: DevmapperRecords.Snapshot, _ device: DevmapperRecords.Device?) {
            self.snapshot = snapshot
            self.device = device
        }

        /// The file system that a snapshot has; `nil` for one that no store has.
        static func filesystem(of snapshot: DevmapperRecords.Snapshot) -> StorageOptions.Filesystem? {
            switch snapshot.labels[AdoptionPlan.filesystemLabel] {
            // Early versions made ext4 only, and no label. The kernel's ext4 mounts ext2 as well.
            case nil, "ext4", "ext2": .ext4
            case "xfs": .xfs
            default: nil
            }
        }

        /// Looks for a reason against the snapshot that is not its parent's.
        mutating func examine(
            _ filesystem: StorageOptions.Filesystem, _ thinDevices: Set<ThinDeviceID>, _ shared: Set<Int64>
        ) {
            guard let device else {
                refusal = "containerd has no record of its device"
                return
            }
            if shared.contains(device.number) {
                refusal = "another snapshot has the same thin device \(device.number)"
            } else if !device.state.hasContent {
                let error = device.error.isEmpty ? "" : ": \(device.error)"
                refusal = "its device \(device.name) is \(device.state)\(error)"
            } else if ThinDeviceID(device.number).map(thinDevices.contains) != true {
                refusal = "the pool does not have its thin device \(device.number)"
            } else if device.size == 0 || device.size % 512 != 0 || device.size > UInt64(Int64.max) {
                refusal = "its device \(device.name) has \(device.size) bytes, and that is no size of a device"
            } else if Self.filesystem(of: snapshot) != filesystem {
                let label = snapshot.labels[AdoptionPlan.filesystemLabel] ?? "ext4"
                refusal =
                    "it has the file system \(label), most others have \(filesystem.rawValue), and a store has only one"
            }
        }

        func layer(parent: Candidate?) -> AdoptedLayer? {
            guard let device, let number = ThinDeviceID(device.number), let id = Self.layerID(snapshot) else {
                return nil
            }
            var record = SnapshotRecord(
                key: snapshot.key, kind: snapshot.kind, parent: snapshot.parent,
                labels: snapshot.labels.filter { !$0.value.isEmpty }, time: snapshot.created)
            record.updated = snapshot.updated
            record.inheritedBytes = parent?.snapshot.size ?? 0
            record.committedBytes = snapshot.kind == .committed ? snapshot.size : nil
            return AdoptedLayer(
                id: id,
                record: LayerRecord(
                    deviceID: number, size: device.size, transactionID: 0,
                    parent: parent.flatMap { Self.layerID($0.snapshot)?.text },
                    created: snapshot.created / 1_000_000_000, snapshot: record),
                formerDevice: device.name)
        }

        /// The layer of a snapshot has containerd's own number in its id, so that a person finds one by the other.
        private static func layerID(_ snapshot: DevmapperRecords.Snapshot) -> LayerID? {
            let digits = String(snapshot.id)
            // It never fails: digits behind a word are always an id.
            return try? LayerID("snapshot-" + String(repeating: "0", count: max(0, 16 - digits.count)) + digits)
        }
    }
}

extension DevmapperRecords.Device.State {
    /// Whether a device in this state has everything that was written to it.
    ///
    /// containerd writes the state before and after each step. A device whose making or removal has begun and not ended may be
    /// anything; the other steps only change how the kernel shows it.
    var hasContent: Bool {
        switch self {
        case .activating, .activated, .suspending, .suspended, .resuming, .resumed, .deactivating, .deactivated: true
        case .unknown, .creating, .created, .removing, .removed, .faulty: false
        }
    }
}
