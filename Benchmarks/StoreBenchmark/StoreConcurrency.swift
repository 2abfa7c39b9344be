import LayerStore
import Synchronization
import SystemPackage
import TestSupport

/// As much work on eight threads as on one, on one pool.
struct StoreConcurrency {
    let fixture: BenchmarkStore
    let place: Place
    let isQuick: Bool

    private static let threads = 8

    func run() throws -> [Report.Concurrency] {
        [
            try compare("create", each: isQuick ? 2 : 10) { [fixture] id in
                try fixture.store.create(id, parent: fixture.image)
            } floor: { [fixture] number in
                try fixture.raw.create(number, of: fixture.imageDevice)
            },
            try compare("create, mount, unmount", each: isQuick ? 1 : 3) { [fixture] id in
                try fixture.store.create(id, parent: fixture.image)
                _ = try fixture.store.mount(id)
                try fixture.store.unmount(id)
            } floor: { [fixture] number in
                try fixture.raw.create(number, of: fixture.imageDevice)
                try makeDirectory(fixture.raw.mountPoint(of: number))
                try fixture.raw.mount(number)
                try fixture.raw.unmount(number)
            },
        ]
    }

    private func compare(
        _ name: String, each count: Int, ours: @escaping @Sendable (LayerID) throws -> Void,
        floor: @escaping @Sendable (UInt32) throws -> Void
    ) throws -> Report.Concurrency {
        let rounds = isQuick ? 2 : 7
        let all = Self.threads * count
        let ids = try (0..<all).map { try LayerID("concurrent-\($0)") }
        let numbers = (0..<all).map { RawLayers.firstID + 500_000 + UInt32($0) }
        var (one, eight, floorOne, floorEight) = (Samples(), Samples(), Samples(), Samples())
        for _ in 0..<rounds {
            try one.measure { try Self.perform(1, all) { try ours(ids[$0]) } }
            try fixture.remove(ids)
            try eight.measure { try Self.perform(Self.threads, count) { try ours(ids[$0]) } }
            try fixture.remove(ids)
            try floorOne.measure { try Self.perform(1, all) { try floor(numbers[$0]) } }
            for number in numbers { try fixture.raw.delete(number) }
            try floorEight.measure { try Self.perform(Self.threads, count) { try floor(numbers[$0]) } }
            for number in numbers { try fixture.raw.delete(number) }
        }
        return Report.Concurrency(
            name: name, place: place, operations: all, oneThread: one.summary, eightThreads: eight.summary,
            floorOneThread: floorOne.summary, floorEightThreads: floorEight.summary)
    }

    /// Runs `body` `each` times on each of so many threads; the one thread is a thread as well.
    private static func perform(
        _ threads: Int, _ each: Int, _ body: @escaping @Sendable (Int) throws -> Void
    ) throws {
        let results = onThreads(threads) { thread in
            for index in 0..<each { try body(thread * each + index) }
        }
        for result in results { try result.get() }
    }
}
