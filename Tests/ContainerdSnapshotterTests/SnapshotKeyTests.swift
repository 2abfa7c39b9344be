import LayerStore
import Synchronization
import TestSupport
import Testing

@testable import ContainerdSnapshotter

/// Keys whose letters are the same and whose bytes are not.
struct SnapshotKeyTests {
    private let composed = "default/1/caf\u{e9}"
    private let decomposed = "default/1/cafe\u{301}"

    @Test func twoSpellingsAreTwoKeys() throws {
        let index = SnapshotIndex([])
        for (number, key) in [composed, decomposed].enumerated() {
            index.insert(
                .init(
                    layer: try LayerID("snapshot-\(number)"),
                    record: SnapshotRecord(key: key, kind: .active, parent: "", labels: [:], time: Int64(number))))
        }
        #expect(index.count == 2)
        #expect(index[composed]?.layer.description == "snapshot-0")
        #expect(index[decomposed]?.layer.description == "snapshot-1")
        // In the order of their bytes, as Go has it.
        #expect(index.all().map { Array($0.key.utf8) } == [Array(decomposed.utf8), Array(composed.utf8)])
        index.remove(composed)
        #expect(index[composed] == nil)
        #expect(index[decomposed] != nil)
    }

    @Test func filtersTellThemApart() throws {
        let snapshot = Snapshot(SnapshotRecord(key: composed, kind: .active, parent: "", labels: [:], time: 0))
        #expect(try SnapshotFilter("name==\"\(composed)\"").matches(snapshot))
        #expect(try !SnapshotFilter("name==\"\(decomposed)\"").matches(snapshot))
        #expect(try SnapshotFilter("name!=\"\(decomposed)\"").matches(snapshot))
        #expect(try !SnapshotFilter("name~=\"\(decomposed)\"").matches(snapshot))
    }

    @Test func twoSpellingsDoNotWaitForEachOther() throws {
        let gate = KeyGate()
        let inside = Mutex(0)
        let keys = [composed, decomposed]
        let results = onThreads(2) { index in
            try gate.with([keys[index]]) {
                inside.withLock { $0 += 1 }
                try Patience.until { inside.withLock { $0 == 2 } }
            }
        }
        for result in results { try result.get() }
    }
}
