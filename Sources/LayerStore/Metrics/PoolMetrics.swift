internal import DeviceMapper
internal import SystemPackage
public import ThinProvisioning

/// The figures of a thin pool, under the names that they have wherever they are published.
public struct PoolMetrics: Sendable {
    private let pool: String
    private let condition: PoolReport.Condition?
    private let state: ThinPoolState?

    /// Takes the figures of a pool that has been looked at.
    ///
    /// - Parameters:
    ///   - pool: The name of the pool's device.
    ///   - condition: What the pool lets its devices do; `nil` when it did not answer.
    ///   - state: The pool's own words, if it has any.
    public init(pool: String, condition: PoolReport.Condition?, state: ThinPoolState?) {
        self.pool = pool
        self.condition = condition
        self.state = state
    }

    /// The labels of all figures of the pool.
    public var labels: [MetricsText.Label] { [("pool", pool)] }

    /// Adds the figures to a page.
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
    /// The same of a pool that answers, as a report says it.
    public var condition: PoolReport.Condition {
        switch self {
        case .readWrite: .readWrite
        case .readOnly: .readOnly
        case .outOfDataSpace: .outOfDataSpace
        }
    }
}

extension LayerStore {
    /// The figures of the pool as it is: nothing is activated, written or committed, and no layer's file is read.
    ///
    /// - Throws: ``LayerStoreError/Code/foreignDevice`` when a pool of the store's name belongs to somebody else.
    public func poolMetrics() throws(LayerStoreError) -> PoolMetrics {
        try attempting("ask for the state of the pool") {
            guard let pool = try activePool() else {
                let device = configuration.pool.poolDevice.flatMap { FilePath($0).lastComponent?.string }
                return PoolMetrics(
                    pool: try device ?? directory.poolName().description, condition: .inactive, state: nil)
            }
            guard case .available(let state) = try pool.status() else {
                return PoolMetrics(pool: pool.name.description, condition: .failed, state: nil)
            }
            return PoolMetrics(pool: pool.name.description, condition: state.mode.condition, state: state)
        }
    }
}
