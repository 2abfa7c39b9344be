import BenchmarkFloor
import Glibc

/// Durations of one operation, in microseconds.
struct Samples: Sendable {
    private(set) var microseconds: [Double] = []

    var count: Int { microseconds.count }

    mutating func add(_ value: Double) { microseconds.append(value) }

    /// Runs `body` and keeps how long it took, without what reading the clock takes.
    mutating func measure<Result>(_ body: () throws -> Result) rethrows -> Result {
        let start = Clock.nanoseconds
        let result = try body()
        let elapsed = Clock.nanoseconds - start - Clock.cost
        add(Double(max(0, elapsed)) / 1000)
        return result
    }

    /// The value that `share` of all values are below: 0.1, 0.5 or 0.99.
    func quantile(_ share: Double) -> Double {
        guard !microseconds.isEmpty else { return .nan }
        let sorted = microseconds.sorted()
        let position = share * Double(sorted.count - 1)
        let index = Int(position)
        let next = min(index + 1, sorted.count - 1)
        return sorted[index] + (sorted[next] - sorted[index]) * (position - Double(index))
    }

    var summary: Summary { Summary(p10: quantile(0.1), median: quantile(0.5), p99: quantile(0.99), count: count) }
}

/// The statistics of a number of durations, in microseconds.
struct Summary: Encodable, Sendable {
    let p10: Double
    let median: Double
    let p99: Double
    let count: Int

    /// How many times the other's this one's durations are, by the medians and by the tenths.
    func ratio(to other: Summary) -> (median: Double, p10: Double) {
        (median / other.median, p10 / other.p10)
    }
}

/// The clock that everything is measured with.
enum Clock {
    /// Nanoseconds since some moment.
    static var nanoseconds: Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// The cost of reading the clock, in nanoseconds: in User-Mode Linux, a system call.
    static let cost: Int64 = {
        let costs = (0..<2000).map { _ in
            let start = nanoseconds
            return nanoseconds - start
        }
        return costs.sorted()[costs.count / 10]
    }()
}

/// Two ways to do the same, measured by turns so that whatever else the machine does hits both.
struct Comparison: Sendable {
    var ours = Samples()
    var floor = Samples()

    /// Measures `rounds` rounds; who begins changes from round to round.
    mutating func alternate(_ rounds: Int, ours: (Int) throws -> Void, floor: (Int) throws -> Void) rethrows {
        for round in 0..<rounds {
            if round.isMultiple(of: 2) { try self.ours.measure { try ours(round) } }
            try self.floor.measure { try floor(round) }
            if !round.isMultiple(of: 2) { try self.ours.measure { try ours(round) } }
        }
    }
}
