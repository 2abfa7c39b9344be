internal import DeviceMapper
internal import SystemCalls
internal import SystemPackage

/// Commands that change or remove devices.
extension DMSetupSession {
    private var suspendOptions: SuspendOptions {
        var chosen: SuspendOptions = []
        // A device that is removed or wiped by force may be one whose requests never end.
        let isForced = options.has("force")
        if options.has("nolockfs") || isForced { chosen.insert(.skipLockFS) }
        if options.has("noflush") || isForced { chosen.insert(.noFlush) }
        return chosen
    }

    /// Prints the state of a device that a command changed, with -v.
    private func report(_ device: DMSetupDevice) throws(DMSetupFailed) {
        guard options.has("verbose"), let information = try information(on: device) else { return }
        try printInformation(information)
    }

    func suspend(_ word: String?) throws(DMSetupFailed) {
        let device = try requiredDevice(word)
        let chosen = suspendOptions
        if options.has("checks") {
            // dmsetup looks first at the devices below, and fails with this command's name where there is no device.
            _ = try send("deps", device) { control throws(DeviceMapperError) in
                try control.dependencies(of: device.reference())
            }
        }
        try send("suspend", device) { control throws(DeviceMapperError) in
            try control.suspendDevice(device.reference(), options: chosen)
        }
        try report(device)
    }

    func resume(_ word: String?) throws(DMSetupFailed) {
        let device = try requiredDevice(word)
        let information = try resume(device, "resume")
        // dmsetup makes a node for a name only; the node of a device without a table is of no use.
        if device.name != nil || information.hasActiveTable {
            try makeNode(information.number, "\(information.name)")
        }
        if let text = options.text("readahead") { ReadAhead.set(text, on: information.number) }
        try report(device)
    }

    @discardableResult
    func resume(_ device: DMSetupDevice, _ word: String) throws(DMSetupFailed) -> DeviceInformation {
        let chosen = suspendOptions
        let notice = try udev.notice()
        return try send(word, device) { control throws(DeviceMapperError) in
            try control.resumeDevice(device.reference(), options: chosen, udev: notice)
        }
    }

    func clear(_ word: String?) throws(DMSetupFailed) {
        let device = try requiredDevice(word)
        try send("clear", device) { control throws(DeviceMapperError) in try control.clearTable(of: device.reference())
        }
        try report(device)
    }

    // MARK: Tables on which every request fails

    func wipe(_ word: String?) throws(DMSetupFailed) {
        guard let word else { throw Self.failure("No device specified.") }
        try wipe(requiredDevice(word))
    }

    /// Gives a device a table of one error target.
    func wipe(_ device: DMSetupDevice) throws(DMSetupFailed) {
        var length: UInt64 = 0
        do throws(DMSetupFailed) {
            let lines = try send("table", device) { control throws(DeviceMapperError) in
                try control.lines(of: device.reference(), .table, flushing: true).lines
            }
            length = lines.map { $0.start.count + $0.length.count }.max() ?? 0
        } catch {
            // dmsetup goes on, and the next command says what is wrong.
        }
        let table = MappingTable(ErrorTarget(), length: Sectors(length))
        try send("reload", device) { control throws(DeviceMapperError) in
            try control.loadTable(table, into: device.reference())
        }
        try resume(device, "resume")
    }

    // MARK: Removal

    /// How often `remove --retry` tries, and how long it waits in between, as dmsetup does.
    private static let removalAttempts = 25
    private static let removalPause = Duration.milliseconds(200)

    func remove(_ word: String?) throws(DMSetupFailed) {
        let device = try requiredDevice(word)
        if options.has("force"), word != nil {
            // dmsetup wipes only a device that its name names, and goes on where it cannot.
            _ = try? wipe(device)
        }
        // The node has the kernel's name, also where the command line has the uuid.
        var name = device.name
        if name == nil { name = try information(on: device).map { "\($0.name)" } }
        let isDeferred = options.has("deferred")
        var attempts = options.has("retry") ? Self.removalAttempts : 1
        while true {
            do throws(DMSetupFailed) {
                let notice = try udev.notice()
                _ = try send("remove", device) { control throws(DeviceMapperError) in
                    try control.removeDevice(device.reference(), deferred: isDeferred, udev: notice)
                }
                // dmsetup removes the node at once, also where the removal is deferred.
                if let name { removeNode(name) }
                break
            } catch {
                attempts -= 1
                guard attempts > 0, try information(on: device) != nil else { throw error }
                pause(for: Self.removalPause)
            }
        }
    }

    func removeAll() throws(DMSetupFailed) {
        if options.has("force") {
            for device in try devices() {
                // A device that cannot be wiped is removed all the same, unless a program has it open.
                _ = try? wipe(device)
            }
        }
        let isDeferred = options.has("deferred")
        try send("remove_all", DMSetupDevice()) { control throws(DeviceMapperError) in
            try control.removeAllDevices(deferred: isDeferred)
        }
        try makeNodes(nil)
    }

    // MARK: Names

    func rename(_ words: [String]) throws(DMSetupFailed) {
        var words = words[...]
        // With one word, -u or -j and -m name the device.
        let old = words.count > 1 ? words.popFirst() : nil
        guard let new = words.first, let device = try device(old) else { throw Self.failure("No device specified.") }
        let name = device.name ?? ""
        let notice = try udev.notice()
        if options.has("setuuid") {
            let uuid = try mangled(new, "uuid")
            return try send("rename", device) { control throws(DeviceMapperError) in
                try control.setUUID(of: DeviceName(existing: name), to: DeviceUUID(uuid), udev: notice)
            }
        }
        let newName = try newName(new)
        if device.name == nil {
            // The kernel finds a device to rename by its name only.
            let missing = DeviceMapperError(.noSuchDevice, errno: .noSuchAddressOrDevice)
            throw Self.refusal("rename", device, missing)
        }
        try send("rename", device) { control throws(DeviceMapperError) in
            try control.renameDevice(DeviceName(existing: name), to: DeviceName(existing: newName), udev: notice)
        }
        renameNode(name, to: newName)
    }

    // MARK: Messages

    func message(_ words: [String]) throws(DMSetupFailed) {
        var words = words[...]
        let device = try requiredDevice(options.nameDevice ? nil : words.popFirst())
        guard let text = words.popFirst(), let sector = CNumber.whole(text) else {
            throw Self.failure("Invalid sector.")
        }
        if words.isEmpty { Self.complain("No message supplied.") }
        let message = words.joined(separator: " ")
        let answer = try send("message", device) { control throws(DeviceMapperError) in
            do throws(DeviceMapperError) {
                return try control.sendMessage(
                    message, to: device.reference(), sector: Sectors(UInt64(bitPattern: Int64(sector))),
                    answerCapacity: 1 << 14)
            } catch {
                // libdevmapper takes this answer of a target for success.
                guard error.errno == .inappropriateIOCTLForDevice else { throw error }
                return nil
            }
        }
        if let answer, !answer.isEmpty { printPart(answer.hasSuffix("\n") ? answer : answer + "\n") }
    }

    func setGeometry(_ words: [String]) throws(DMSetupFailed) {
        let device = try requiredDevice(words[0])
        let numbers = words.dropFirst().compactMap { CNumber.whole($0) }.filter { $0 >= 0 }
        try send("setgeometry", device) { control throws(DeviceMapperError) in
            guard numbers.count == 4 else { throw DeviceMapperError(.failed, errno: .invalidArgument) }
            try control.setGeometry(
                of: device.reference(), cylinders: UInt32(clamping: numbers[0]), heads: UInt32(clamping: numbers[1]),
                sectorsPerTrack: UInt32(clamping: numbers[2]), start: Sectors(UInt64(numbers[3])))
        }
    }
}
