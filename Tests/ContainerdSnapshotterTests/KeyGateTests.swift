import Synchronization
import TestSupport
import Testing

@testable import ContainerdSnapshotter

/// Operations that wait for each other.
struct KeyGateTests {
    @Test func givesAKeyInTheOrderOfArrival() throws {
        let gate = KeyGate()
        let order = Mutex<[Int]>([])
        let results = onThreads(12) { index in
            // Each comes when all before it are there; the first has the key until the last has come.
            try Patience.until { gate.waiting == max(0, index - 1) && (index == 0 || order.withLock { $0 == [0] }) }
            try gate.with(["key"]) {
                order.withLock { $0.append(index) }
                if index == 0 { try Patience.until { gate.waiting == 11 } }
            }
        }
        for result in results { try result.get() }
        #expect(order.withLock { $0 } == Array(0..<12))
        #expect(gate.waiting == 0)
    }

    /// Operations that share a parent would otherwise keep its removal away for ever.
    @Test func nobodyOvertakesOneThatWaits() throws {
        let gate = KeyGate()
        let order = Mutex<[String]>([])
        let results = onThreads(3) { index in
            switch index {
            case 0:
                try gate.with(["a"], sharing: ["parent"]) {
                    order.withLock { $0.append("first") }
                    try Patience.until { gate.waiting == 2 }
                }
            case 1:
                try Patience.until { order.withLock { !$0.isEmpty } }
                gate.with(["parent"]) { order.withLock { $0.append("alone") } }
            default:
                try Patience.until { gate.waiting == 1 }
                gate.with(["b"], sharing: ["parent"]) { order.withLock { $0.append("second") } }
            }
        }
        for result in results { try result.get() }
        #expect(order.withLock { $0 } == ["first", "alone", "second"])
    }

    @Test func leavesAKeyThatIsNotFree() throws {
        let gate = KeyGate()
        #expect(gate.withIfFree("key") { 1 } == 1)
        let isWaited = Mutex(false)
        let results = onThreads(3) { index in
            switch index {
            case 0: try gate.with([], sharing: ["key"]) { try Patience.until { isWaited.withLock { $0 } } }
            case 1:
                // Another operation that shares the key, and then one that waits to have it alone.
                try Patience.until { gate.withIfFree("key") { 1 } == nil }
                gate.with(["key"]) {}
            default:
                try Patience.until { gate.waiting == 1 }
                #expect(gate.withIfFree("key") { 1 } == nil)
                #expect(gate.waiting == 1)
                isWaited.withLock { $0 = true }
            }
        }
        for result in results { try result.get() }
        #expect(gate.withIfFree("key") { 1 } == 1)
    }

    @Test func othersAreNotHeldUp() throws {
        let gate = KeyGate()
        let inside = Mutex(0)
        let claims = [(["a"], ["parent"]), (["b"], ["parent"]), (["c", "c"], ["c"])]
        let results = onThreads(3) { index in
            try gate.with(claims[index].0, sharing: claims[index].1) {
                inside.withLock { $0 += 1 }
                try Patience.until { inside.withLock { $0 == 3 } }
            }
        }
        for result in results { try result.get() }
    }

    @Test(arguments: [Caller.Departure.cancelled, .deadlineExceeded])
    func doesNotRunForACallerWhoLeft(departure: Caller.Departure) throws {
        let gate = KeyGate()
        let caller = Caller()
        let isHeld = Atomic(false)
        let hasRun = Atomic(false)
        let results = onThreads(3) { index in
            switch index {
            case 0:
                // It has the key until the caller that waits has gone, and the one behind that has come.
                try gate.with(["key"]) {
                    isHeld.store(true, ordering: .relaxed)
                    try Patience.until { gate.waiting == 2 }
                    caller.leave(departure)
                    try Patience.until { gate.waiting == 1 }
                }
            case 1:
                try Patience.until { isHeld.load(ordering: .relaxed) }
                let error = #expect(throws: SnapshotterError.self) {
                    try gate.with(["key", "other"], for: caller) { () throws(SnapshotterError) in
                        hasRun.store(true, ordering: .relaxed)
                    }
                }
                #expect(error?.code == (departure == .cancelled ? .cancelled : .deadlineExceeded))
            default:
                try Patience.until { gate.waiting == 1 }
                gate.with(["key"]) {}
            }
        }
        for result in results { try result.get() }
        #expect(hasRun.load(ordering: .relaxed) == false)
        #expect(gate.waiting == 0)
        // Neither does it before it has waited at all.
        #expect(throws: SnapshotterError.self) {
            try gate.with(["key"], for: caller) { () throws(SnapshotterError) in Issue.record("it has run") }
        }
        gate.with(["key"]) {}
    }
}
