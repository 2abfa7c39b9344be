internal import DeviceMapper

/// A line of a report: a device, or a name that is split.
final class DMReportRow {
    let information: DeviceInformation?
    let kernelName: String
    let kernelUUID: String
    let shown: String
    let split: SplitName
    let subsystem: String
    /// The area, the region or the group that the row of a report of statistics is about.
    var statistics: StatisticsObject?
    var isSelected = true
    private let session: DMSetupSession
    private var usedDevices: [DeviceNumber]?

    init(_ information: DeviceInformation, _ session: DMSetupSession) throws(DMSetupFailed) {
        self.information = information
        self.session = session
        kernelName = "\(information.name)"
        kernelUUID = information.uuid.map { "\($0)" } ?? ""
        shown = try session.shown(kernelName, "name")
        // The subsystem is the first word of the uuid.
        subsystem = kernelUUID.contains("-") ? String(kernelUUID.prefix { $0 != "-" }) : ""
        split = subsystem == "LVM" ? SplitName(shown) : SplitName()
    }

    /// A name that is split without a device.
    init(_ name: SplitName, _ subsystem: String, _ session: DMSetupSession) {
        information = nil
        self.session = session
        (kernelName, kernelUUID, shown) = ("", "", "")
        (self.subsystem, split) = (subsystem, name)
    }

    func shownUUID() throws(DMSetupFailed) -> String { try session.shown(kernelUUID, "UUID") }

    // A text that has no such form is shown as it is.
    func mangled(_ text: String) -> String { (try? NameMangling.auto.mangled(text)) ?? text }

    // As above.
    func unmangled(_ text: String) -> String { (try? NameMangling.hex.unmangled(text)) ?? text }

    /// The kernel's name of the device, which it has from its first table on.
    func blockName() throws(DMSetupFailed) -> String {
        guard let information else { return "" }
        guard let name = BlockName.kernel(information.number) else {
            throw DMSetupSession.failure("Could not resolve block device name for \(information.number).")
        }
        return name
    }

    var attributes: String {
        guard let information else { return "" }
        return (information.hasActiveTable ? "L" : "-") + (information.hasInactiveTable ? "I" : "-")
            + (information.isSuspended ? "s" : "-") + (information.isReadOnly ? "r" : "w")
    }

    var tables: String {
        switch (information?.hasActiveTable ?? false, information?.hasInactiveTable ?? false) {
        case (true, true): "Both"
        case (true, false): "Live"
        case (false, true): "Inactive"
        case (false, false): "None"
        }
    }

    /// The devices that the table uses.
    func used() throws(DMSetupFailed) -> [DeviceNumber] {
        guard let information else { return [] }
        if let usedDevices { return usedDevices }
        let device = DMSetupDevice(name: kernelName, number: information.number)
        let inactive = session.options.has("inactive")
        let found = try session.send("deps", device) { control throws(DeviceMapperError) in
            try control.dependencies(of: device.reference(), inactive: inactive)
        }
        usedDevices = found
        return found
    }

    /// The names of the mapped devices that the table uses.
    func usedNames() throws(DMSetupFailed) -> String {
        let known = try session.relations().names
        return try used().compactMap { known[$0] }.joined(separator: ",")
    }

    /// The mapped devices that use the device.
    func users() throws(DMSetupFailed) -> [DMSetupDevice] {
        guard let information else { return [] }
        return try session.relations().users[information.number] ?? []
    }
}

/// The mapped devices, and which of them use which.
struct DMSetupRelations {
    var names: [DeviceNumber: String] = [:]
    var users: [DeviceNumber: [DMSetupDevice]] = [:]

    init(_ session: DMSetupSession) throws(DMSetupFailed) {
        for device in try session.devices() {
            guard let number = device.number else { continue }
            names[number] = device.shown
            let used = try session.send("deps", device) { control throws(DeviceMapperError) in
                try control.dependencies(of: device.reference())
            }
            for lower in used { users[lower, default: []].append(device) }
        }
    }
}
