/// When a monitor makes a pool larger, and by how much.
public struct PoolMonitorSettings: Hashable, Sendable {
    /// The use in percent, from 1 to 100, at which the pool is made larger; 100 means never.
    public var threshold: Int
    /// The percentage of its size by which the pool is made larger.
    public var percent: Int

    /// Docker's values for direct-lvm.
    public static let standard = PoolMonitorSettings(threshold: 80, percent: 20)

    /// Makes settings; values outside of their limits become the nearest limit.
    public init(threshold: Int, percent: Int) {
        self.threshold = min(100, max(1, threshold))
        self.percent = min(1000, max(0, percent))
    }
}
