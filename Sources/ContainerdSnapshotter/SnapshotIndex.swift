internal import LayerStore
internal import Synchronization

/// Which layer each snapshot is: what the layers' own files say, by key.
final class SnapshotIndex: Sendable {
    /// A snapshot and its layer.
    struct Entry: Sendable {
        let layer: LayerID
        let record: SnapshotRecord
    }

    private struct State {
        var entries: [SnapshotKey: Entry] = [:]
        /// How many snapshots were made from each one.
        var children: [SnapshotKey: Int] = [:]
    }

    private let state: Mutex<State>

    init(_ entries: [Entry]) {
        var state = State()
        for entry in entries {
            state.entries[SnapshotKey(entry.record.key)] = entry
            if !entry.record.parent.isEmpty { state.children[SnapshotKey(entry.record.parent), default: 0] += 1 }
        }
        self.state = Mutex(state)
    }

    subscript(key: String) -> Entry? { state.withLock { $0.entries[SnapshotKey(key)] } }

    func hasChildren(_ key: String) -> Bool { state.withLock { $0.children[SnapshotKey(key)] != nil } }

    /// All snapshots as they are now, in the order of their keys.
    func all() -> [SnapshotRecord] {
        state.withLock { $0.entries.values.map(\.record) }.sorted { SnapshotKey($0.key) < SnapshotKey($1.key) }
    }

    var count: Int { state.withLock { $0.entries.count } }

    func insert(_ entry: Entry) {
        state.withLock { state in
            state.entries[SnapshotKey(entry.record.key)] = entry
            if !entry.record.parent.isEmpty { state.children[SnapshotKey(entry.record.parent), default: 0] += 1 }
        }
    }

    /// Replaces the record of a snapshot, also by one with another key.
    func replace(_ key: String, with entry: Entry) {
        state.withLock { state in
            state.entries[SnapshotKey(key)] = nil
            state.entries[SnapshotKey(entry.record.key)] = entry
        }
    }

    func remove(_ key: String) {
        state.withLock { state in
            guard let entry = state.entries.removeValue(forKey: SnapshotKey(key)), !entry.record.parent.isEmpty else {
                return
            }
            let parent = SnapshotKey(entry.record.parent)
            let left = state.children[parent, default: 1] - 1
            state.children[parent] = left > 0 ? left : nil
        }
    }
}
