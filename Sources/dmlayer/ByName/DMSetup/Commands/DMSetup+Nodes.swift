internal import DeviceMapper

/// The nodes of devices, where no udevd makes them.
extension DMSetupSession {
    /// Makes the node of a device, unless udev's rules make it.
    func makeNode(_ number: DeviceNumber, _ name: String) throws(DMSetupFailed) {
        guard !udev.rulesMakeNodes else { return }
        let owner = MapperDirectory.Owner(
            user: options.number("uid").map { UInt32(clamping: $0) } ?? 0,
            group: options.number("gid").map { UInt32(clamping: $0) } ?? MapperDirectory.Owner.disks.group,
            mode: options.number("mode", radix: 8).map { UInt32(clamping: $0) } ?? MapperDirectory.Owner.disks.mode)
        do throws(DeviceMapperError) {
            try directory.make(name, number, owner)
        } catch {
            throw Self.failure("\(error)")
        }
    }

    func removeNode(_ name: String) {
        if !udev.rulesMakeNodes { directory.remove(name) }
    }

    func renameNode(_ name: String, to newName: String) {
        if !udev.rulesMakeNodes { directory.rename(name, to: newName) }
    }

    /// Makes the missing nodes and removes those whose devices have gone.
    ///
    /// - Parameter word: The only device that is meant; `nil` for all.
    func makeNodes(_ word: String?) throws(DMSetupFailed) {
        if let device = try device(word) {
            guard let information = try information(on: device) else {
                if let name = device.name { directory.remove(name) }
                return
            }
            return try makeNode(information.number, "\(information.name)")
        }
        let mangling = listMangling
        listMangling = .none
        defer { listMangling = mangling }
        let devices = try devices()
        for device in devices {
            guard let number = device.number, let name = device.name else { continue }
            try makeNode(number, name)
        }
        directory.removeAll(except: Set(devices.compactMap(\.name)))
    }
}
