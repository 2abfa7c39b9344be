public import ThinProvisioning

/// The kinds of space that a pool needs more of.
public struct PoolNeed: OptionSet, Hashable, Sendable {
    /// The needs as bits.
    public let rawValue: UInt8

    /// Makes needs from bits.
    public init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// More space for data.
    public static let data = PoolNeed(rawValue: 1)
    /// More space for metadata.
    public static let metadata = PoolNeed(rawValue: 2)
}

/// The decision of a monitor about a pool in a certain state.
///
/// It depends on the state and the settings only.
public struct PoolDecision: Hashable, Sendable {
    /// The kinds of space that the pool needs more of.
    public let need: PoolNeed
    /// Whether more space would help, so that the pool is made larger now.
    public let grows: Bool
    /// The number of free data blocks at which the kernel is to report that the threshold is reached.
    ///
    /// It is `nil` where the mark stays as it is: above the threshold, with a threshold of 100, and in a pool that must be checked.
    public let mark: UInt64?

    /// Decides.
    public init(_ state: ThinPoolState, _ settings: PoolMonitorSettings) {
        need = Self.need(of: state, settings.threshold)
        // A pool is read-only for several reasons, and more space removes only one of them: full metadata.
        let isGrowable = !state.needsCheck && (state.mode != .readOnly || need.contains(.metadata))
        grows = !need.isEmpty && isGrowable
        let isHealthy = state.mode == .readWrite && !state.needsCheck
        mark =
            isHealthy && settings.threshold < 100 && !need.contains(.data)
            ? Self.mark(for: state, settings.threshold) : nil
    }

    private static func need(of state: ThinPoolState, _ threshold: Int) -> PoolNeed {
        guard threshold < 100 else { return [] }
        var need: PoolNeed = []
        if state.data.percent >= threshold { need.insert(.data) }
        // Metadata below the kernel's own mark counts as well: the kernel reports no other event before it is full.
        let isBelowMark = state.metadata.free <= state.metadataLowWaterMark ?? 0
        if state.metadata.percent >= threshold || isBelowMark { need.insert(.metadata) }
        return need
    }

    private static func mark(for state: ThinPoolState, _ threshold: Int) -> UInt64 {
        // Rounded so that the use has reached the threshold when the event comes. Divided first, so that nothing overflows.
        let (whole, rest) = state.data.total.quotientAndRemainder(dividingBy: 100)
        return state.data.total
            - min(state.data.total, whole * UInt64(threshold) + (rest * UInt64(threshold) + 99) / 100)
    }
}

/// The facts about a pool that a monitor has told already.
struct PoolNews: Sendable {
    /// The uses in percent at which a warning is given.
    static let warningLevels = [80, 90, 95]

    private var mode: String?
    private var warned: [String: Int] = [:]

    /// The message about a change of the pool's mode; `nil` when the mode is the same as before.
    ///
    /// - Parameter timeout: How long writes wait in a full pool; it is asked for where that matters.
    mutating func messageAboutMode(
        of state: ThinPoolState?, _ name: String, timeout: @autoclosure () -> NoSpaceTimeout = .current
    ) -> String? {
        var mode = state?.mode.rawValue ?? "failed"
        if state?.needsCheck == true { mode += ", needs_check" }
        defer { self.mode = mode }
        guard mode != self.mode, self.mode != nil || mode != "rw" else { return nil }
        return "\(name) is now \(mode): \(Self.advice(state, timeout))"
    }

    private static func advice(_ state: ThinPoolState?, _ timeout: () -> NoSpaceTimeout) -> String {
        switch state?.mode {
        case _ where state?.needsCheck == true:
            "the metadata must be checked after an error. Shut down the users of the pool, deactivate it, and run "
                + "“dmlayer metadata check --clear-needs-check” on its metadata. Repair what that finds with “dmlayer metadata "
                + "repair”. Then activate the pool again"
        case .readWrite?: "it works again"
        case .outOfDataSpace? where state?.errorIfNoSpace == true: "writes that need space fail. Add space now"
        case .outOfDataSpace?: "writes that need space wait\(timeout().words). Add space now"
        case .readOnly? where state?.metadata.free == 0:
            "its metadata is full, and nothing can be changed. Add metadata space, with “dmlayer pool extend --metadata SIZE” "
                + "to a pool of LVM's and “dmlayer pool resize --metadata SIZE” to one on files"
        case .readOnly?: "nothing can be changed"
        case nil: "its metadata could not be read or written; the kernel's log (dmesg) says more"
        }
    }

    /// A warning for every level that was passed since the last look; one write can pass several.
    mutating func warnings(about state: ThinPoolState, _ name: String) -> [String] {
        var warnings: [String] = []
        for (space, usage) in [("data", state.data), ("metadata", state.metadata)] {
            let passed = Self.warningLevels.filter { usage.percent >= $0 }
            for level in passed where level > warned[space] ?? 0 {
                warnings.append("\(name) has used \(usage.percent) % of its \(space), more than \(level) %")
            }
            warned[space] = passed.last
        }
        return warnings
    }
}

extension BlockUsage {
    /// The share that is used, in whole percent.
    public var percent: Int {
        guard total > 0 else { return 0 }
        let (product, overflow) = used.multipliedReportingOverflow(by: 100)
        return Int(clamping: overflow ? used / max(1, total / 100) : product / total)
    }
}
