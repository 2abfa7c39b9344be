internal import DeviceMapper

/// What became of a device between two lists of devices.
struct DeviceChange: Encodable, Hashable {
    enum Kind: String, Encodable {
        case created, removed, renamed
        /// The device had an event, or got a uuid.
        case changed
    }

    let kind: Kind
    let name: String
    let oldName: String?
    let uuid: String?
    let number: String
    let eventNumber: UInt32?

    enum CodingKeys: String, CodingKey {
        case kind = "change"
        case name, uuid, number
        case oldName = "old_name"
        case eventNumber = "event_number"
    }

    private init(_ kind: Kind, _ device: DeviceListEntry, oldName: DeviceName? = nil) {
        self.kind = kind
        name = device.name.description
        self.oldName = oldName?.description
        uuid = device.uuid?.description
        number = device.number.description
        eventNumber = device.eventNumber
    }

    /// The changes that lead from one list to the other, removals first.
    static func changes(from old: [DeviceListEntry], to new: [DeviceListEntry]) -> [DeviceChange] {
        let before = Dictionary(old.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
        let after = Dictionary(new.map { ($0.number, $0) }, uniquingKeysWith: { first, _ in first })
        let removed = old.filter { device in after[device.number].map { !isSame(device, $0) } ?? true }
        return removed.map { DeviceChange(.removed, $0) }
            + new.compactMap { device in
                guard let known = before[device.number], isSame(known, device) else {
                    return DeviceChange(.created, device)
                }
                if known.name != device.name { return DeviceChange(.renamed, device, oldName: known.name) }
                return known == device ? nil : DeviceChange(.changed, device)
            }
    }

    /// Whether two entries with one number are one device, and not one that got the number of another.
    ///
    /// A uuid is given once; without one a device with another name is taken for a renamed one.
    private static func isSame(_ old: DeviceListEntry, _ new: DeviceListEntry) -> Bool {
        old.uuid == nil || old.uuid == new.uuid
    }

    var text: String {
        switch kind {
        case .created, .removed: "\(kind.rawValue) \(name) (\(number))"
        case .renamed: "renamed \(oldName ?? "") to \(name) (\(number))"
        case .changed: "changed \(name) (\(number))" + (eventNumber.map { " event \($0)" } ?? "")
        }
    }
}
