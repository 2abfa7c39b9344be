/// A target with its parameters as named fields.
///
/// A program gives another target of the kernel a type by conforming to this protocol; nothing in this library has to change
/// for it:
///
/// ```swift
/// struct LoggingTarget: TypedTarget {
///     static let type = "my-log"
///     var device: TargetDevice
///
///     init(device: TargetDevice) {
///         self.device = device
///     }
///
///     init?(_ words: inout TargetWords) {
///         guard let device = words.device() else { return nil }
///         self.device = device
///     }
///
///     var parameters: String { device.description }
/// }
///
/// let table = MappingTable(LoggingTarget(device: .path("/dev/loop0")), length: 2048)
/// let first = table.entries.first?.target.as(LoggingTarget.self)
/// ```
public protocol TypedTarget: Hashable, Sendable {
    /// The name of the target in a mapping table: 1 to 15 bytes.
    static var type: String { get }

    /// Reads the parameters.
    ///
    /// - Parameter words: The parameters. ``Target/as(_:)`` gives `nil` when this leaves words of them unread.
    /// - Returns: `nil` when the parameters are not of the form that the type knows.
    init?(_ words: inout TargetWords)

    /// The parameters as the kernel takes them.
    var parameters: String { get }
}

extension Target {
    /// Makes a target from its fields.
    public init(_ target: some TypedTarget) {
        self.init(type: Swift.type(of: target).type, parameters: target.parameters)
    }

    /// The target as one of a certain type.
    ///
    /// - Returns: `nil` for a target of another type, and for parameters that are not of the form that the type knows.
    public func `as`<Typed: TypedTarget>(_ typed: Typed.Type) -> Typed? {
        guard type == typed.type else { return nil }
        var words = TargetWords(parameters)
        guard let target = Typed(&words), words.isEmpty else { return nil }
        return target
    }
}

extension Target {
    /// The types of this library.
    public static let types: [any TypedTarget.Type] = [
        CacheTarget.self, CloneTarget.self, CryptTarget.self, DelayTarget.self, DustTarget.self,
        EmulatedBlockSizeTarget.self, EraTarget.self, ErrorTarget.self, FlakeyTarget.self, IntegrityTarget.self,
        LinearTarget.self, LogWritesTarget.self, MirrorTarget.self, MultipathTarget.self, RaidTarget.self,
        SnapshotMergeTarget.self, SnapshotOriginTarget.self, SnapshotTarget.self, StripedTarget.self,
        SwitchTarget.self, ThinPoolTarget.self, ThinTarget.self, UnstripedTarget.self, VDOTarget.self,
        VerityTarget.self, WriteCacheTarget.self, ZeroTarget.self,
    ]

    /// The target as one of the types of this library.
    ///
    /// - Returns: `nil` for another target, and for parameters that are not of the form that its type knows.
    public var typed: (any TypedTarget)? {
        Self.types.first { $0.type == type }.flatMap { self.as($0) }
    }
}

extension MappingTable {
    /// Makes a table in which one target maps all of a device of `length` sectors.
    public init(_ target: some TypedTarget, length: Sectors, isReadOnly: Bool = false) {
        self.init(Target(target), length: length, isReadOnly: isReadOnly)
    }
}
