/// One difference between two lists of devices.
public struct DeviceChange: Hashable, Sendable {
    /// The kind of a change.
    public enum Kind: Hashable, Sendable {
        /// The device is new.
        case created
        /// The device is gone.
        case removed
        /// The device had another name.
        case renamed(from: DeviceName)
        /// The device had an event, or got a uuid.
        case changed
    }

    /// The kind of the change.
    public let kind: Kind
    /// The device: as it is now, or as it was last.
    public let device: DeviceListEntry

    /// Makes a change.
    public init(_ kind: Kind, _ device: DeviceListEntry) {
        self.kind = kind
        self.device = device
    }

    /// The changes that lead from one list to the other, removals first.
    public static func changes(from old: [DeviceListEntry], to new: [DeviceListEntry]) -> [DeviceChange] {
        let before = Dictionary(old.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
        let after = Dictionary(new.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
        let removed = old.filter { device in after[device.number].map { !isSame(device, $0) } ?? true }
        return removed.map { DeviceChange(.removed, $0) }
            + new.compactMap { device in
                guard let known = before[device.number], isSame(known, device) else {
                    return DeviceChange(.created, device)
                }
                if known.name != device.name { return DeviceChange(.renamed(from: known.name), device) }
                return known == device ? nil : DeviceChange(.changed, device)
            }
    }

    /// Whether two entries with one number are one device, and not one that got the number of another.
    ///
    /// A uuid is given once; without one a device with another name is taken for a renamed one.
    private static func isSame(_ old: DeviceListEntry, _ new: DeviceListEntry) -> Bool {
        old.uuid == nil || old.uuid == new.uuid
    }
}
