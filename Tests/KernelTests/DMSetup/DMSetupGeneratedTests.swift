import Glibc
import Testing

/// Command lines that a generator makes, given to dmsetup and to dmlayer by that name.
@Suite(.serialized) struct DMSetupGeneratedTests {
    /// How many lines share a set of devices; the variable `DMSETUP_ROUNDS` makes more sets.
    private static let length = 40

    private static var rounds: Int {
        unsafe getenv("DMSETUP_ROUNDS").flatMap { unsafe Int(String(cString: $0)) } ?? 3
    }

    /// The first seed, from the variable `DMSETUP_SEED`.
    private static var seed: Int {
        unsafe getenv("DMSETUP_SEED").flatMap { unsafe Int(String(cString: $0)) } ?? 1
    }

    @Test func doesWhatDMSetupDoes() throws {
        let comparison = try DMSetupComparison()
        for seed in Self.seed..<Self.seed + Self.rounds {
            var generator = DMSetupCommandLine(seed: UInt64(seed))
            try comparison.expectSame((0..<Self.length).map { _ in generator.next() }, "seed \(seed): ")
        }
    }
}
