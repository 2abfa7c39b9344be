import DeviceMapper
import Testing
import ThinProvisioning

@testable import LayerStore

/// The decisions of the monitor, from states that the kernel reports.
struct PoolDecisionTests {
    private func state(
        data: UInt64, of total: UInt64 = 1000, metadata: UInt64 = 10, of metadataTotal: UInt64 = 1000,
        mode: String = "rw", needsCheck: Bool = false, metadataMark: UInt64 = 20
    ) throws -> ThinPoolState {
        let text =
            "1 \(metadata)/\(metadataTotal) \(data)/\(total) - \(mode) discard_passdown queue_if_no_space "
            + "\(needsCheck ? "needs_check" : "-") \(metadataMark)"
        guard case .available(let state) = try ThinPoolStatus(parsing: text, blockSize: 128) else {
            throw LayerStoreError(.failed, "no state")
        }
        return state
    }

    private func decision(_ state: ThinPoolState, _ threshold: Int = 80) -> PoolDecision {
        PoolDecision(state, PoolMonitorSettings(threshold: threshold, percent: 20))
    }

    @Test func needsSpaceFromTheThresholdOn() throws {
        for threshold in 1...100 {
            for used in stride(from: UInt64(0), through: 1000, by: 5) {
                let decision = decision(try state(data: used), threshold)
                let isNeeded = threshold < 100 && used >= UInt64(threshold) * 10
                #expect(decision.need.contains(.data) == isNeeded && decision.grows == !decision.need.isEmpty)
            }
        }
    }

    @Test(
        arguments: [
            (799, 20, []), (800, 20, .metadata), (979, 20, .metadata), (1000, 0, .metadata), (700, 300, .metadata),
            (699, 300, []),
        ] as [(UInt64, UInt64, PoolNeed)])
    func needsMetadata(used: UInt64, mark: UInt64, need: PoolNeed) throws {
        #expect(decision(try state(data: 0, metadata: used, metadataMark: mark)).need == need)
        // 100 is never, also where metadata is at the kernel's mark.
        #expect(decision(try state(data: 0, metadata: used, metadataMark: mark), 100).need == [])
    }

    /// More space mends a pool that is out of space, and a read-only one only where its metadata is full.
    @Test(
        arguments: [
            ("rw", false, 10, true), ("out_of_data_space", false, 10, true), ("ro", false, 10, false),
            ("ro", false, 1000, true), ("rw", true, 10, false), ("ro", true, 1000, false),
        ] as [(String, Bool, UInt64, Bool)])
    func growsWhereSpaceHelps(mode: String, needsCheck: Bool, metadata: UInt64, grows: Bool) throws {
        let decision = decision(try state(data: 900, metadata: metadata, mode: mode, needsCheck: needsCheck))
        #expect(decision.grows == grows && decision.need.contains(.data))
        let below = self.decision(try state(data: 0, mode: mode, needsCheck: needsCheck))
        #expect((below.mark != nil) == (mode == "rw" && !needsCheck))
    }

    /// The event of the mark comes when the threshold is reached, and not before.
    @Test(arguments: [1, 7, 99, 100, 101, 1000, 16_384, 1_000_003] as [UInt64], [1, 50, 73, 80, 99])
    func theMarkIsAtTheThreshold(total: UInt64, threshold: Int) throws {
        let mark = try #require(decision(try state(data: 0, of: total), threshold).mark)
        // The kernel reports when the free blocks are no more than the mark.
        let reported = total - mark
        let (atMark, before) = try (state(data: reported, of: total), state(data: reported - 1, of: total))
        #expect(decision(atMark, threshold).need.contains(.data))
        #expect(!decision(before, threshold).need.contains(.data) && decision(before, threshold).mark == mark)
    }

    /// A new mark suspends the pool, which must not happen while it is nearly full, and not for nothing.
    @Test func theMarkStaysAboveTheThresholdAndWhereNothingGrows() throws {
        for used in stride(from: UInt64(0), through: 1000, by: 10) {
            #expect((decision(try state(data: used)).mark == nil) == (used >= 800))
            #expect(decision(try state(data: used), 100).mark == nil)
        }
    }

    @Test func survivesAnySize() throws {
        let largest = UInt64.max / (128 * 512)
        for used in [0, 1, largest / 2] {
            let decision = decision(try state(data: used, of: largest))
            #expect(try #require(decision.mark) <= largest)
        }
        #expect(decision(try state(data: largest, of: largest)).need == .data)
    }

    @Test func warnsOfEachLevelOnce() throws {
        var news = PoolNews()
        func levels(_ data: UInt64, _ metadata: UInt64 = 10) throws -> Int {
            news.warnings(about: try state(data: data, metadata: metadata), "pool").count
        }
        #expect(try levels(790) == 0)
        #expect(try levels(800) == 1)
        #expect(try levels(810) == 0)
        // One write passes two levels, and metadata counts for itself.
        #expect(try levels(960, 800) == 3)
        #expect(try levels(960, 800) == 0)
        // A pool that has become larger warns anew.
        #expect(try levels(500) == 0)
        #expect(try levels(800) == 1)
    }

    @Test func tellsChangesOfTheMode() throws {
        var news = PoolNews()
        func message(_ state: ThinPoolState?) -> String? { news.messageAboutMode(of: state, "pool") }
        #expect(message(try state(data: 0)) == nil)
        #expect(message(try state(data: 1000, mode: "out_of_data_space"))?.contains("Add space now") == true)
        #expect(message(try state(data: 1000, mode: "out_of_data_space")) == nil)
        #expect(message(try state(data: 0, metadata: 1000, mode: "ro"))?.contains("--metadata SIZE") == true)
        #expect(message(try state(data: 0, mode: "ro", needsCheck: true))?.contains("metadata check") == true)
        #expect(message(nil)?.contains("pool is now failed: its metadata could not be read") == true)
        #expect(message(try state(data: 0)) == "pool is now rw: it works again")
        func advice(_ seconds: UInt64?) throws -> String? {
            var news = PoolNews()
            return news.messageAboutMode(
                of: try state(data: 1000, mode: "out_of_data_space"), "pool", timeout: NoSpaceTimeout(seconds: seconds))
        }
        #expect(try advice(90)?.hasSuffix("wait, and fail after 90 s (no_space_timeout). Add space now") == true)
        #expect(try advice(0)?.hasSuffix("wait, for ever (no_space_timeout). Add space now") == true)
        #expect(try advice(nil)?.hasSuffix("wait. Add space now") == true)
        // A pool that is wrong from the start is told as well.
        var other = PoolNews()
        #expect(other.messageAboutMode(of: nil, "pool") != nil)
    }

    /// A file grows by a share in whole mebibytes, as far as the disk and the limit go.
    @Test(
        arguments: [
            (100, 0, 1000, nil, 120), (100, 100, 5, nil, 105), (100, 50, 20, nil, nil), (100, 0, 1000, 110, 110),
            (100, 0, 1000, 100, nil), (1, 0, 1000, nil, 2), (100, 100, 0, nil, nil),
        ] as [(UInt64, UInt64, UInt64, UInt64?, UInt64?)])
    func sizesAFile(size: UInt64, reserved: UInt64, free: UInt64, limit: UInt64?, result: UInt64?) {
        let growth = PoolFileGrowth(percent: 20, limit: limit.map { $0 << 20 })
        #expect(
            growth.size(from: size << 20, reserved: reserved << 20, diskFree: free << 20) == result.map { $0 << 20 })
    }

    @Test func sizesNothingBeyondAllNumbers() {
        let growth = PoolFileGrowth(percent: 1000, limit: nil)
        #expect(growth.size(from: .max, reserved: .max, diskFree: .max) == nil)
        #expect(growth.size(from: 1 << 62, reserved: .max, diskFree: .max) == (UInt64.max >> 20) << 20)
    }

    @Test func keepsSettingsWithinTheirLimits() {
        #expect(PoolMonitorSettings(threshold: 0, percent: -5) == PoolMonitorSettings(threshold: 1, percent: 0))
        #expect(
            PoolMonitorSettings(threshold: 101, percent: 9999) == PoolMonitorSettings(threshold: 100, percent: 1000))
    }
}
