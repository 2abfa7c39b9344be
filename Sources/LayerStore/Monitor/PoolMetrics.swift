public import ThinProvisioning

/// The metrics of a thin pool.
///
/// They have the same names wherever they are published.
public struct PoolMetrics: Sendable {
    private let pool: String
    private let condition: PoolReport.Condition?
    private let state: ThinPoolState?

    /// Makes the metrics of a pool.
    ///
    /// - Parameters:
    ///   - pool: The name of the pool's device.
    ///   - condition: The condition of the pool; `nil` when it is not known.
    ///   - state: The state that the pool reports; `nil` when it reports none.
    public init(pool: String, condition: PoolReport.Condition?, state: ThinPoolState?) {
        self.pool = pool
        self.condition = condition
        self.state = state
    }

    /// How much of the pool's data is used; `nil` when the pool does not say.
    public var data: BlockUsage? { state?.data }
    /// How much of the pool's metadata is used; `nil` when the pool does not say.
    public var metadata: BlockUsage? { state?.metadata }

    /// The labels of all metrics of the pool.
    public var labels: [MetricsText.Label] { [("pool", pool)] }

    /// Adds the metrics to a page.
    public func write(to text: inout MetricsText) {
        text.add(
            "dmlayer_pool_up", .gauge, "Whether the pool is active and answers.", labels: labels,
            state == nil ? 0 : 1)
        let mode = "dmlayer_pool_mode"
        text.begin(mode, .gauge, "1 for the mode that the pool is in.")
        for one in PoolReport.Condition.allCases {
            text.add(mode, labels + [("mode", one.rawValue)], condition == one ? 1 : 0)
        }
        guard let state else { return }
        text.add(
            "dmlayer_pool_needs_check", .gauge,
            "Whether the metadata must be checked before the pool can be changed again.",
            labels: labels, state.needsCheck ? 1 : 0)
        for (name, usage) in [("data", state.data), ("metadata", state.metadata)] {
            text.add(
                "dmlayer_pool_\(name)_used_bytes", .gauge, "Bytes of the pool's \(name) that are in use.",
                labels: labels, usage.usedBytes)
            text.add(
                "dmlayer_pool_\(name)_size_bytes", .gauge, "Size of the pool's \(name) in bytes.", labels: labels,
                usage.totalBytes)
        }
    }
}

extension ThinPoolState.Mode {
    /// The condition of a pool that is in this mode.
    public var condition: PoolReport.Condition {
        switch self {
        case .readWrite: .readWrite
        case .readOnly: .readOnly
        case .outOfDataSpace: .outOfDataSpace
        }
    }
}
