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
        var entries: [String: Entry] = [:]
        /// How many snapshots were made from each one.
        var children: [String: Int] = [:]
    }

    private let state: Mutex<State>

    init(_ entries: [Entry]) {
        var state = State()
        for entry in entries {
            state.entries[entry.record.key] = entry
            if !entry.record.parent.isEmpty { state.children[entry.record.parent, default: 0] += 1 }
        }
        self.state = Mutex(state)
    }

    subscript(key: String) -> Entry? { state.withLock { $0.entries[key] } }

    func hasChildren(_ key: String) -> Bool { state.withLock { $0.children[key] != nil } }

    /// All snapshots as they are now, in the order of their keys.
    func all() -> [SnapshotRecord] {
        state.withLock { $0.entries.values.map(\.record) }.sorted { $0.key < $1.key }
    }

    var count: Int { state.withLock { $0.entries.count } }

    func insert(_ entry: Entry) {
        state.withLock { state in
            state.entries[entry.record.key] = entry
            if !entry.record.parent.isEmpty { state.children[entry.record.parent, default: 0] += 1 }
        }
    }

    /// Puts what a snapshot has become in place of what it was, under another key too.
    func replace(_ key: String, with entry: Entry) {
        state.withLock { state in
            state.entries[key] = nil
            state.entries[entry.record.key] = entry
        }
    }

    func remove(_ key: String) {
        state.withLock { state in
            guard let entry = state.entries.removeValue(forKey: key), !entry.record.parent.isEmpty else { return }
            let left = state.children[entry.record.parent, default: 1] - 1
            state.children[entry.record.parent] = left > 0 ? left : nil
        }
    }
}
