public import LayerStore

/// How snapshots begin and end.
extension Snapshotter {
    /// Makes a snapshot.
    ///
    /// That is one snapshot and one activation in the kernel, and one file: nothing is mounted, and no process runs. Only a
    /// snapshot that is larger than its parent is mounted for a moment, for its file system to grow.
    ///
    /// - Parameters:
    ///   - key: Its name.
    ///   - parent: The committed snapshot that it begins as; empty for an empty file system.
    ///   - kind: ``SnapshotRecord/Kind/active`` or ``SnapshotRecord/Kind/view``.
    ///   - labels: Its labels. ``sizeLabel`` says its size, `containerd.io/snapshot/uidmapping` and `gidmapping`
    ///     its user namespace; one without a value is left out.
    ///   - caller: The caller; if it leaves while this waits for another operation, this does not run.
    /// - Returns: How to mount it.
    /// - Throws: ``SnapshotterError/Code/alreadyExists``, ``SnapshotterError/Code/notFound`` for the parent,
    ///   ``SnapshotterError/Code/invalidArgument`` for a parent that is not committed or a size less than the parent's,
    ///   ``SnapshotterError/Code/resourceExhausted``; ``SnapshotterError/Code/failedPrecondition`` for a user namespace when
    ///   nobody can map the owners of the files.
    public func prepare(
        _ key: String, parent: String, kind: Snapshot.Kind, labels: [String: String],
        for caller: Caller? = nil
    ) throws(SnapshotterError) -> [SnapshotMount] {
        guard !key.isEmpty else { throw SnapshotterError(.invalidArgument, "a snapshot needs a key") }
        let size = try Self.size(labels)
        let mapping = try IDMapping(labels)
        return try gate.with([key], sharing: parent.isEmpty ? [] : [parent], for: caller) {
            () throws(SnapshotterError) in
            guard index[key] == nil else {
                throw SnapshotterError(.alreadyExists, "there is a snapshot “\(key)” already")
            }
            let origin = try origin(parent)
            var record = SnapshotRecord(
                key: key, kind: kind, parent: parent, labels: labels.filter { !$0.value.isEmpty }, time: Self.now())
            record.mountOptions = try mapping.flatMap { mapping throws(SnapshotterError) in
                try mountOptions(mapping, of: key, from: origin)
            }
            let (layer, active) = try attempting("make snapshot “\(key)”") { () throws(LayerStoreError) in
                let layer = try Self.newLayerID()
                return (layer, try store.createSnapshot(layer, parent: origin, size: size, record))
            }
            index.insert(.init(layer: layer, record: active.record.snapshot ?? record))
            return mounts(record, active)
        }
    }

    /// Makes an active snapshot a committed one, from which other snapshots can be made.
    ///
    /// Its device goes away. A device that is still mounted stays as it is for its users, and goes after them.
    ///
    /// - Parameters:
    ///   - key: The active snapshot. Nothing has this name afterwards.
    ///   - name: The name of the committed one.
    ///   - parent: The parent that the snapshot must have; empty leaves it as it is.
    ///   - labels: The labels of the committed one, which inherits none.
    ///   - caller: The caller; if it leaves while this waits for another operation, this does not run.
    /// - Throws: ``SnapshotterError/Code/notFound``, ``SnapshotterError/Code/alreadyExists`` for the name,
    ///   ``SnapshotterError/Code/failedPrecondition`` for a snapshot that is not active,
    ///   ``SnapshotterError/Code/invalidArgument`` for another parent than it has.
    public func commit(
        _ key: String, as name: String, parent: String = "", labels: [String: String], for caller: Caller? = nil
    ) throws(SnapshotterError) {
        guard !name.isEmpty else { throw SnapshotterError(.invalidArgument, "a committed snapshot needs a name") }
        try gate.with([key, name], for: caller) { () throws(SnapshotterError) in
            let entry = try entry(key)
            guard entry.record.kind == .active else {
                throw SnapshotterError(
                    .failedPrecondition,
                    "the snapshot “\(key)” is \(entry.record.kind.rawValue), and only an active one can be committed")
            }
            guard index[name] == nil else {
                throw SnapshotterError(.alreadyExists, "there is a snapshot “\(name)” already")
            }
            guard parent.isEmpty || SnapshotKey(parent) == SnapshotKey(entry.record.parent) else {
                throw SnapshotterError(
                    .invalidArgument,
                    "the snapshot “\(key)” was made from “\(entry.record.parent)”, and a thin device cannot get another "
                        + "parent")
            }
            let record = try attempting("commit snapshot “\(key)”") { () throws(LayerStoreError) in
                try store.commitSnapshot(entry.layer) { record in
                    record.key = name
                    record.kind = .committed
                    record.labels = labels.filter { !$0.value.isEmpty }
                    record.mountOptions = nil
                    record.created = Self.now()
                    record.updated = record.created
                }
            }
            _ = try publish(record, as: entry.layer, in: key)
        }
    }

    /// Removes a snapshot.
    ///
    /// It is gone, durably, when the call returns; its space becomes free behind that.
    ///
    /// - Parameters:
    ///   - key: The snapshot.
    ///   - caller: The caller; if it leaves while this waits for another operation, this does not run.
    /// - Throws: ``SnapshotterError/Code/notFound``; ``SnapshotterError/Code/failedPrecondition`` for everything else, such
    ///   as others that were made from it: then it stays whole.
    public func remove(_ key: String, for caller: Caller? = nil) throws(SnapshotterError) {
        try gate.with([key], for: caller) { () throws(SnapshotterError) in
            let entry = try entry(key)
            guard !index.hasChildren(key) else {
                throw SnapshotterError(
                    .failedPrecondition, "cannot remove snapshot “\(key)”: others were made from it; remove those first"
                )
            }
            do throws(LayerStoreError) {
                _ = try store.remove(entry.layer)
            } catch {
                // After any other code containerd's garbage collector would not try the next one.
                throw SnapshotterError(.failedPrecondition, "cannot remove snapshot “\(key)”: \(error.reason)")
            }
            index.remove(key)
        }
    }

    /// The layer that a snapshot begins as.
    private func origin(_ parent: String) throws(SnapshotterError) -> LayerID? {
        guard !parent.isEmpty else { return nil }
        guard let entry = index[parent] else {
            throw SnapshotterError(.notFound, "there is no snapshot “\(parent)” to make one from")
        }
        guard entry.record.kind == .committed else {
            throw SnapshotterError(
                .invalidArgument,
                "the snapshot “\(parent)” is \(entry.record.kind.rawValue), and one is made only from what is committed"
            )
        }
        return entry.layer
    }

    /// The size that the labels ask for, in bytes.
    private static func size(_ labels: [String: String]) throws(SnapshotterError) -> UInt64? {
        guard let text = labels[sizeLabel], !text.isEmpty else { return nil }
        guard let size = UInt64(text), size > 0 else {
            throw SnapshotterError(.invalidArgument, "the label \(sizeLabel)=\(text) is no number of bytes")
        }
        return size
    }

    /// An id that no layer has: containerd's keys have characters that ids have not, and can change.
    private static func newLayerID() throws(LayerStoreError) -> LayerID {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        return try LayerID("snapshot-" + String(repeating: "0", count: 16 - digits.count) + digits)
    }
}
