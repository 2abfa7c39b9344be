internal import DeviceMapper

/// Commands that make devices and give them tables.
extension DMSetupSession {
    func create(_ words: [String]) throws(DMSetupFailed) {
        if options.has("concise") { return try createConcise(words.first) }
        guard let word = words.first else { throw Self.failure("Please provide a name for the new device.") }
        let name = try newName(word)
        let entries = options.has("notable") ? nil : try table(file: words.dropFirst().first)
        let uuid = try options.text("uuid").map { text throws(DMSetupFailed) in try mangled(text, "uuid") }
        var number: DeviceNumber?
        if let minor = options.number("minor") {
            number = DeviceNumber(
                major: BlockName.mapperMajor ?? UInt32(clamping: options.number("major") ?? 0),
                minor: UInt32(clamping: minor))
        }
        try make(
            DMSetupDevice(name: name, uuid: uuid, number: number, isNew: number != nil), entries ?? [],
            options.has("readonly"))
    }

    /// Makes a device, and removes it again if the kernel does not take its table.
    private func make(
        _ device: DMSetupDevice, _ entries: [TableEntry], _ isReadOnly: Bool
    ) throws(DMSetupFailed) {
        udev.sayWhetherBypassed()
        let created = try send("create", device) { control throws(DeviceMapperError) in
            try control.createDevice(
                DeviceName(existing: device.name ?? ""),
                uuid: device.uuid.flatMap { uuid throws(DeviceMapperError) in uuid.isEmpty ? nil : try DeviceUUID(uuid)
                },
                minor: device.number?.minor)
        }
        let number = DeviceReference.number(created.number)
        let new = DMSetupDevice(name: device.name, number: created.number, isNew: true)
        if !entries.isEmpty {
            do throws(DMSetupFailed) {
                try send("reload", new) { control throws(DeviceMapperError) in
                    try control.loadTable(MappingTable(entries, isReadOnly: isReadOnly), into: number)
                }
                try resume(new, "resume")
            } catch {
                // The first failure is the one to report.
                if let control = try? control() { _ = try? control.removeDevice(number) }
                throw error
            }
        }
        if !entries.isEmpty || options.has("addnodeoncreate") { try makeNode(created.number, device.name ?? "") }
        if let text = options.text("readahead"), !entries.isEmpty { ReadAhead.set(text, on: created.number) }
        if options.has("verbose"), let state = try information(on: new) { try printInformation(state) }
    }

    private func createConcise(_ text: String?) throws(DMSetupFailed) {
        var list = text ?? ""
        if text == nil { list = try InputText.read(nil) }
        for device in try ConciseDevice.parse(list) {
            let name = try newName(device.name)
            let uuid = device.uuid.isEmpty ? nil : try mangled(device.uuid, "uuid")
            let minor = CNumber.whole(device.minor).flatMap { DeviceNumber(major: 0, minor: UInt32(clamping: $0)) }
            let entries = try TableText(device.table.joined(separator: "\n")).entries
            try make(
                DMSetupDevice(name: name, uuid: uuid, number: minor, isNew: minor != nil), entries,
                device.isReadOnly || options.has("readonly"))
        }
    }

    func load(_ words: [String]) throws(DMSetupFailed) {
        var words = words[...]
        guard let device = try device(options.nameDevice ? nil : words.popFirst()) else {
            throw Self.failure("Please specify device.")
        }
        let entries = try table(file: words.first)
        let table = MappingTable(entries, isReadOnly: options.has("readonly"))
        try send("reload", device) { control throws(DeviceMapperError) in
            try control.loadTable(table, into: device.reference())
        }
        if options.has("verbose"), let information = try information(on: device) { try printInformation(information) }
    }
}
