import Testing

@testable import LayerStore

/// The clock of a pool's snapshots, which counts to 2^24.
struct SnapshotClockTests {
    private typealias Row = (time: UInt32, severity: StoreFinding.Severity?, hasRunOut: Bool)

    private static let rows: [Row] = [
        (0, nil, false), (8_388_607, nil, false), (8_388_608, .warning, false), (16_711_679, .warning, false),
        (16_711_680, .error, true), (16_777_216, .error, true), (4_294_967_295, .error, true),
    ]

    @Test func refusesWithAMargin() {
        for row in Self.rows { expect(row) }
    }

    private func expect(_ row: Row) {
        let (time, severity, hasRunOut) = row
        let clock = SnapshotClock(time)
        #expect(clock.hasRunOut == hasRunOut)
        #expect(clock.finding?.severity == severity)
        #expect(clock.problem?.isWarning == severity.map { $0 < .error })
        #expect(clock.finding.map { $0.advice.contains("dmlayer diff") } ?? true)
    }

    /// Between two looks at the clock, fewer layers are made than the margin has.
    @Test func looksOftenEnough() { #expect(SnapshotClock.interval * 8 < SnapshotClock.margin) }
}
