import Synchronization
import SystemCalls
import TestSupport

/// Looks at a pool's own status again and again, on a thread of its own.
final class PoolWatch: Sendable {
    private struct Sample {
        let time: ContinuousClock.Instant
        let used: Int
        let total: Int
    }

    private let samples = Mutex<[Sample]>([])
    private let isEnding = Atomic(false)
    private let hasEnded = Atomic(false)

    init(_ pool: PoolStatus) {
        startThread { [self] in
            // The pool's end is the end of the samples.
            while !isEnding.load(ordering: .acquiring), let data = try? pool.data() {
                samples.withLock { $0.append(Sample(time: .now, used: data.used, total: data.total)) }
            }
            hasEnded.store(true, ordering: .releasing)
        }
    }

    /// Ends the samples.
    ///
    /// - Returns: The times in milliseconds from 80 % of use to more space.
    func end() throws -> [Int] {
        isEnding.store(true, ordering: .releasing)
        try Patience.until { hasEnded.load(ordering: .acquiring) }
        var delays: [Int] = []
        var full: Sample?
        for sample in samples.withLock({ $0 }) {
            if let begin = full, sample.total > begin.total {
                delays.append(Int((sample.time - begin.time) / .milliseconds(1)))
                full = nil
            }
            if full == nil, Double(sample.used) >= 0.8 * Double(sample.total) { full = sample }
        }
        return delays
    }
}

/// The status of a pool by dmsetup.
struct PoolStatus: Sendable {
    let name: String

    var text: String {
        get throws { try Shell.run("dmsetup status --noflush '\(name)'") }
    }

    private func part(_ index: Int) throws -> (used: Int, total: Int) {
        let words = try text.split(separator: " ")
        let numbers = words.indices.contains(index) ? words[index].split(separator: "/").compactMap { Int($0) } : []
        guard numbers.count == 2 else { throw CheckError("the pool \(name) has no figures") }
        return (numbers[0], numbers[1])
    }

    /// Its blocks of metadata.
    func metadata() throws -> (used: Int, total: Int) { try part(4) }

    /// Its blocks of data.
    func data() throws -> (used: Int, total: Int) { try part(5) }

    /// Whether less than 80 % of the data is used.
    func isBelow() throws -> Bool {
        let data = try data()
        return Double(data.used) < 0.8 * Double(data.total)
    }
}
