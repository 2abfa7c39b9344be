internal import SystemCalls
public import LayerStore
internal import SystemPackage

/// Snapshots by the rules of containerd, on a store of layers.
///
/// Each snapshot is a layer, and everything about it is in that layer's file: there is no second database that
/// could disagree with it. All methods block and may be called from any thread; those on different keys go on at the
/// same time.
public final class Snapshotter: Sendable {
    /// The label that says how many bytes a snapshot's file system shall have.
    public static let sizeLabel = "containerd.io/snapshot/max-size"

    let store: LayerStore
    /// Whether containerd makes id-mapped mounts of snapshots for user namespaces.
    let mapsOwners: Bool
    let index: SnapshotIndex
    let gate = KeyGate()
    /// The layers' files that say nothing about a snapshot because they cannot be understood, and why.
    public let damaged: [String]

    /// Serves the snapshots of a store, until this object goes away.
    ///
    /// - Parameters:
    ///   - store: The store.
    ///   - mapsOwners: Whether containerd mounts with the options `uidmap` and `gidmap`, as containerd 2 does. A snapshot for a user
    ///     namespace gets them then, and is refused otherwise.
    /// - Throws: ``LayerStoreError``: `busy` when another process serves them.
    public init(_ store: LayerStore, mapsOwners: Bool = false) throws(LayerStoreError) {
        self.store = store
        self.mapsOwners = mapsOwners
        try store.beginService()
        var entries: [SnapshotIndex.Entry] = []
        var damaged: [String] = []
        for listing in try store.layers() {
            switch listing {
            case .layer(let id, let record):
                if let snapshot = record.snapshot { entries.append(.init(layer: id, record: snapshot)) }
            case .damaged(let name, let reason): damaged.append("\(name): \(reason)")
            }
        }
        index = SnapshotIndex(entries)
        self.damaged = damaged
    }

    /// How many snapshots there are.
    public var count: Int { index.count }

    // MARK: Looking

    /// The record of a snapshot.
    ///
    /// - Throws: ``SnapshotterError/Code/notFound``.
    public func stat(_ key: String) throws(SnapshotterError) -> Snapshot {
        Snapshot(try entry(key).record)
    }

    /// The snapshots that any of `filters` matches, or all without a filter, in the order of their keys.
    ///
    /// - Throws: ``SnapshotterError/Code/invalidArgument`` for a text that is no filter.
    public func list(_ filters: [String] = []) throws(SnapshotterError) -> [Snapshot] {
        let filters = try filters.map { text throws(SnapshotterError) in try SnapshotFilter(text) }
        let all = index.all().map(Snapshot.init)
        return filters.isEmpty ? all : all.filter { snapshot in filters.contains { $0.matches(snapshot) } }
    }

    /// The space that a snapshot takes in addition to its parent's.
    ///
    /// - Throws: ``SnapshotterError/Code/notFound``.
    public func usage(_ key: String) throws(SnapshotterError) -> SnapshotUsage {
        let layer = try entry(key).layer
        return SnapshotUsage(
            bytes: try attempting("ask for the usage of snapshot “\(key)”") { () throws(LayerStoreError) in
                try store.ownBytes(of: layer)
            })
    }

    /// How to mount an active snapshot or a view; its device is there when the call returns.
    ///
    /// - Parameters:
    ///   - key: The snapshot.
    ///   - caller: The caller; if it leaves while this waits for another operation, this does not run.
    /// - Throws: ``SnapshotterError/Code/notFound``; ``SnapshotterError/Code/failedPrecondition`` for a committed one.
    public func mounts(_ key: String, for caller: Caller? = nil) throws(SnapshotterError) -> [SnapshotMount] {
        try gate.with([key], for: caller) { () throws(SnapshotterError) in
            let entry = try mountable(key)
            let active = try attempting("activate snapshot “\(key)”") { () throws(LayerStoreError) in
                try store.activateSnapshot(entry.layer)
            }
            return mounts(entry.record, active)
        }
    }

    /// How to mount an active snapshot or a view whose device is there; this waits for no other operation.
    ///
    /// - Returns: `nil` where ``mounts(_:for:)`` has something to do, or to wait for.
    /// - Throws: The errors of ``mounts(_:for:)``.
    public func mountsIfActive(_ key: String) throws(SnapshotterError) -> [SnapshotMount]? {
        try gate.withIfFree(key) { () throws(SnapshotterError) in
            let entry = try mountable(key)
            let active = try attempting("ask for snapshot “\(key)”") { () throws(LayerStoreError) in
                try store.snapshotIfActive(entry.layer)
            }
            return active.map { mounts(entry.record, $0) }
        }
    }

    private func mountable(_ key: String) throws(SnapshotterError) -> SnapshotIndex.Entry {
        let entry = try entry(key)
        guard entry.record.kind != .committed else {
            throw SnapshotterError(
                .failedPrecondition, "the snapshot “\(key)” is committed; prepare another from it, or a view of it")
        }
        return entry
    }

    // MARK: Changing

    /// Replaces labels of a snapshot.
    ///
    /// - Parameters:
    ///   - key: The snapshot.
    ///   - labels: The new labels.
    ///   - paths: Which of them count: `labels` for all of them, `labels.` with a label's name behind it for one, which is
    ///     deleted where `labels` has no such label. None is all.
    ///   - caller: The caller; if it leaves while this waits for another operation, this does not run.
    /// - Returns: The changed snapshot.
    /// - Throws: ``SnapshotterError/Code/notFound``; ``SnapshotterError/Code/invalidArgument`` for another path.
    public func update(
        _ key: String, labels: [String: String], paths: [String], for caller: Caller? = nil
    ) throws(SnapshotterError) -> Snapshot {
        let update = try LabelUpdate(labels: labels, paths: paths)
        return try gate.with([key], for: caller) { () throws(SnapshotterError) in
            let layer = try entry(key).layer
            let record = try attempting("update snapshot “\(key)”") { () throws(LayerStoreError) in
                try store.updateSnapshot(layer) { record in
                    record.labels = update.applied(to: record.labels)
                    record.updated = Self.now()
                }
            }
            return try publish(record, as: layer, in: key)
        }
    }

    /// Begins to free the space of removed snapshots.
    ///
    /// Every removal does this by itself; the call returns at once.
    public func cleanUp() {
        store.freeRemovedLayers()
    }

    // MARK: Parts of operations

    func entry(_ key: String) throws(SnapshotterError) -> SnapshotIndex.Entry {
        guard let entry = index[key] else { throw SnapshotterError(.notFound, "there is no snapshot “\(key)”") }
        return entry
    }

    /// Runs a call of the store; its error becomes one of containerd's.
    func attempting<Result>(
        _ operation: @autoclosure () -> String, _ body: () throws(LayerStoreError) -> Result
    ) throws(SnapshotterError) -> Result {
        do {
            return try body()
        } catch {
            throw SnapshotterError(operation(), error)
        }
    }

    func publish(
        _ record: LayerRecord, as layer: LayerID, in key: String
    ) throws(SnapshotterError) -> Snapshot {
        guard let snapshot = record.snapshot else {
            throw SnapshotterError(.internal, "the layer \(layer) is no snapshot any more")
        }
        index.replace(key, with: .init(layer: layer, record: snapshot))
        return Snapshot(snapshot)
    }

    func mounts(_ record: SnapshotRecord, _ active: ActiveSnapshot) -> [SnapshotMount] {
        let access = record.kind == .view ? ["ro"] : []
        return [
            SnapshotMount(
                type: store.configuration.filesystem.rawValue, source: active.devicePath.string,
                options: access + store.snapshotMountOptions + (record.mountOptions ?? []))
        ]
    }

    /// The time in nanoseconds since 1970.
    static func now() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
