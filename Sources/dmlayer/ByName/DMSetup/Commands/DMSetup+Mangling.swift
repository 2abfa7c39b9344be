internal import DeviceMapper

extension DMSetupSession {
    /// Renames devices whose names are not in the form that the mode of mangling gives them.
    func mangle(_ word: String?) throws(DMSetupFailed) {
        guard let word else {
            return try forEveryDevice { device throws(DMSetupFailed) in try mangle(device) }
        }
        try mangle(DMSetupDevice(name: word, shown: word))
    }

    private func mangle(_ device: DMSetupDevice) throws(DMSetupFailed) {
        guard let name = device.name, let information = try information(on: device) else { throw DMSetupFailed() }
        let uuid = information.uuid.map { "\($0)" }
        let wanted = try target(of: name, "name", "rename the device")
        let wantedUUID = try uuid.map { text throws(DMSetupFailed) in try target(of: text, "UUID", "set the UUID") }
        let subject = "\(name): \(uuid ?? "[no UUID]"): "
        if wantedUUID != uuid {
            print("\(subject)UUID in incorrect form. ")
            throw Self.failure("Unable to change device UUID. The device must be deactivated first.")
        }
        guard wanted != name else {
            return print("\(subject)\(uuid == nil ? "name" : "name and UUID") already in correct form")
        }
        print("\(name): renaming to \(wanted)")
        let notice = try udev.notice()
        try send("rename", device) { control throws(DeviceMapperError) in
            try control.renameDevice(DeviceName(existing: name), to: DeviceName(existing: wanted), udev: notice)
        }
        renameNode(name, to: wanted)
    }

    /// The form that the mode gives a text of the kernel.
    private func target(of text: String, _ kind: String, _ purpose: String) throws(DMSetupFailed) -> String {
        do throws(NameMangling.Problem) {
            // Without mangling, what is mangled becomes plain text.
            if mangling == .none { return try NameMangling.hex.unmangled(text) }
            if text.contains("\\x5cx") { throw .isMangledTwice }
            return try NameMangling.auto.mangled(text)
        } catch {
            throw Self.failure(
                error == .isMangledTwice
                    ? "The \(kind) \"\(text)\" seems to be mangled more than once. "
                        + "Manual intervention required to \(purpose)."
                    : "The \(kind) \"\(text)\" contains mixed mangled and unmangled characters. "
                        + "Manual intervention required to \(purpose).")
        }
    }
}
