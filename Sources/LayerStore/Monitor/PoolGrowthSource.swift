public import DeviceMapper

/// The source of the space by which a monitor makes a pool larger.
public struct PoolGrowthSource: Sendable {
    /// The name of the pool's device, which need not exist yet.
    public let name: DeviceName
    /// The settings that the source has for itself, such as those of a profile of LVM.
    public let settings: PoolMonitorSettings
    /// Whether the pool can be made larger at all.
    ///
    /// A pool that cannot, such as one on devices that another program made, is not suspended either.
    public let canGrow: Bool
    /// Makes the pool larger by a percentage of its size.
    ///
    /// It returns a description of the change, or `nil` when no space is left.
    let extend: @Sendable (_ need: PoolNeed, _ percent: Int) throws -> String?
    /// Runs its argument while no other process changes the table of the pool.
    let withPoolTable: @Sendable (() throws -> Void) throws -> Void

    /// Makes a source.
    ///
    /// - Parameters:
    ///   - name: The name of the pool's device.
    ///   - settings: The settings that apply unless the user has given others.
    ///   - canGrow: Whether the pool can be made larger at all.
    ///   - withPoolTable: Runs its argument while no other process changes the table of the pool.
    ///   - extend: Makes the pool larger by a percentage of its size, and returns a description of the change, or `nil` when
    ///     no space is left.
    public init(
        name: DeviceName, settings: PoolMonitorSettings = .standard, canGrow: Bool = true,
        withPoolTable: @escaping @Sendable (() throws -> Void) throws -> Void,
        extend: @escaping @Sendable (_ need: PoolNeed, _ percent: Int) throws -> String?
    ) {
        self.name = name
        self.settings = settings
        self.canGrow = canGrow
        self.withPoolTable = withPoolTable
        self.extend = extend
    }
}
