internal import DeviceMapper
internal import SystemCalls
internal import SystemPackage

/// A device as a command line names it.
struct DMSetupDevice {
    /// The name in the kernel.
    var name: String?
    /// The name as people see it.
    var shown = ""
    /// The DM uuid in the kernel, where the command line names the device by it.
    var uuid: String?
    var number: DeviceNumber?
    /// Whether the number is that of a device that was made by this command, and the command line names another.
    var isNew = false

    /// The device's words in a message: the name, the uuid and the number, each of which may be missing.
    var subject: String {
        let number = uuid != nil && !isNew ? "" : isNew || name == nil ? number.map { "(\($0))" } ?? "" : ""
        return "\(name ?? "") \(uuid ?? "")\(number)"
    }

    /// The device for the kernel: by its name, else by its uuid, else by its number.
    func reference() throws(DeviceMapperError) -> DeviceReference {
        if let name { return .name(try DeviceName(existing: name)) }
        if let uuid { return .uuid(try DeviceUUID(uuid)) }
        if let number { return .number(number) }
        return .name(try DeviceName(existing: ""))
    }
}

extension DMSetupSession {
    /// The device that a word names; without a word the one of -u or of -j and -m.
    ///
    /// - Returns: `nil` where nothing names a device.
    func device(_ word: String?) throws(DMSetupFailed) -> DMSetupDevice? {
        if let word {
            let resolved = try word.contains("/") ? nameOfNode(word) : word
            if resolved.utf8.count > DeviceName.maximumLength { throw Self.failure("Name \"\(word)\" too long.") }
            let name = try mangled(resolved, "name")
            return DMSetupDevice(name: name, shown: try shown(name, "name"))
        }
        if let uuid = options.text("uuid") { return DMSetupDevice(uuid: try mangled(uuid, "uuid")) }
        guard let major = options.number("major"), let minor = options.number("minor") else { return nil }
        return DMSetupDevice(
            number: DeviceNumber(major: UInt32(clamping: major), minor: UInt32(clamping: minor)))
    }

    /// A name that a device is to get.
    func newName(_ word: String) throws(DMSetupFailed) -> String {
        if word.contains("/") { throw Self.failure("Name \"\(word)\" invalid. It contains \"/\".") }
        if word.utf8.count > DeviceName.maximumLength { throw Self.failure("Name \"\(word)\" too long.") }
        return try mangled(word, "name")
    }

    /// The device that a command needs.
    func requiredDevice(_ word: String?) throws(DMSetupFailed) -> DMSetupDevice {
        guard let device = try device(word) else { throw Self.failure("No device specified.") }
        return device
    }

    /// The name of the mapped device whose node has a path.
    private func nameOfNode(_ path: String) throws(DMSetupFailed) -> String {
        // A path that cannot be examined is reported as missing, as in dmsetup.
        guard let node = try? Stat(FilePath(path)) else { throw Self.failure("Device \(path) not found") }
        let last = FilePath(path).lastComponent?.string ?? ""
        // As above.
        if let mapped = try? Stat(directory.path.appending(last)),
            mapped.specialDeviceID == node.specialDeviceID
        {
            return last
        }
        for device in try devices() where device.number == DeviceNumber(node.specialDeviceID) { return device.shown }
        throw Self.failure("Device \(last) not found")
    }
}
