internal import BlockDevices
internal import DeviceMapper
internal import SystemPackage

/// Commands that change nothing.
extension DMSetupSession {
    /// Does something for every device of the kernel.
    func forEveryDevice(_ work: (DMSetupDevice) throws(DMSetupFailed) -> Void) throws(DMSetupFailed) {
        let devices = try devices()
        if devices.isEmpty { return print("No devices found") }
        var hasFailed = false
        for device in devices {
            do throws(DMSetupFailed) { try work(device) } catch { hasFailed = true }
        }
        if hasFailed { throw DMSetupFailed() }
    }

    /// The version of the program and of the kernel's interface.
    func version() throws(DMSetupFailed) {
        print("Library version:   \(DMSetup.version)")
        let version = try send("version", DMSetupDevice()) { control throws(DeviceMapperError) in try control.version()
        }
        print("Driver version:    \(version)")
    }

    private func printVersion(_ target: TargetVersion) {
        print("\(target.name.padded(16)) v\(target.version)")
    }

    func targets() throws(DMSetupFailed) {
        let none = DMSetupDevice()
        let targets = try send("list_versions", none) { control throws(DeviceMapperError) in
            try control.targetVersions()
        }
        for target in targets { printVersion(target) }
    }

    func targetVersion(_ target: String) throws(DMSetupFailed) {
        printVersion(
            try send("target-version", DMSetupDevice(name: target)) { control throws(DeviceMapperError) in
                try control.targetVersion(of: target)
            })
    }

    // MARK: info

    func info(_ word: String?) throws(DMSetupFailed) {
        guard let device = try device(word) else {
            return try forEveryDevice { device throws(DMSetupFailed) in try info(on: device) }
        }
        try info(on: device)
    }

    func info(on device: DMSetupDevice) throws(DMSetupFailed) {
        guard let information = try information(on: device, inactive: options.has("inactive")) else {
            throw Self.failure("Device does not exist.")
        }
        if let report { return try report.add(information, self) }
        try printInformation(information)
    }

    func printInformation(_ information: DeviceInformation) throws(DMSetupFailed) {
        print("Name:              \(try shown("\(information.name)", "name"))")
        let state = information.isSuspended ? "SUSPENDED" : "ACTIVE"
        print(
            "State:             \(state)\(information.isReadOnly ? " (READ-ONLY)" : "")"
                + "\(information.isRemovalDeferred ? " (DEFERRED REMOVE)" : "")")
        if let sectors = ReadAhead.sectors(of: information.number) { print("Read Ahead:        \(sectors)") }
        let tables = [information.hasActiveTable ? "LIVE" : "", information.hasInactiveTable ? "INACTIVE" : ""]
        let present = tables.filter { !$0.isEmpty }.joined(separator: " & ")
        print("Tables present:    \(present.isEmpty ? "None" : present)")
        print("Open count:        \(information.openCount)")
        print("Event number:      \(information.eventNumber)")
        print("Major, minor:      \(information.number.major), \(information.number.minor)")
        print("Number of targets: \(information.targetCount)")
        if let uuid = information.uuid { print("UUID: \(try shown("\(uuid)", "UUID"))") }
        print("")
    }

    // MARK: status, table, measure

    func lines(
        _ kind: TargetLineKind, _ word: String, _ name: String?, _ areSeveral: Bool
    ) throws(DMSetupFailed) {
        guard let device = try device(name) else {
            return try forEveryDevice { device throws(DMSetupFailed) in try lines(kind, word, of: device, areSeveral) }
        }
        try lines(kind, word, of: device, areSeveral)
    }

    private func isConcise(_ kind: TargetLineKind) -> Bool { kind == .table && options.has("concise") }

    private func lines(
        _ kind: TargetLineKind, _ word: String, of device: DMSetupDevice, _ areSeveral: Bool
    ) throws(DMSetupFailed) {
        let (inactive, flushing) = (options.has("inactive"), !options.has("noflush"))
        guard let answer = try answer(kind, word, of: device, inactive: inactive, flushing: flushing) else {
            throw Self.failure("Device does not exist.")
        }
        if isConcise(kind) { return try printConcise(answer) }
        if options.has("verbose") { try printInformation(answer.information) }
        let prefix = areSeveral ? "\(try shown("\(answer.information.name)", "name")): " : ""
        let wanted = options.text("target")
        let lines = answer.lines.filter { line in wanted.map { line.type == $0 } ?? true }
        for line in lines {
            let text = kind == .table && !options.has("showkeys") ? line.withoutKey : line.text
            print("\(prefix)\(line.start) \(line.length) \(line.type) \(text)")
        }
        if answer.lines.isEmpty, wanted == nil { print(prefix) }
    }

    private func answer(
        _ kind: TargetLineKind, _ word: String, of device: DMSetupDevice, inactive: Bool, flushing: Bool
    ) throws(DMSetupFailed) -> (lines: [TargetLine], information: DeviceInformation)? {
        let control = try control()
        do throws(DeviceMapperError) {
            // An older kernel ignores the flag and answers with the status.
            if kind == .measurement, try control.version().minor < 45 {
                throw DeviceMapperError(.notSupported)
            }
            return try control.lines(of: device.reference(), kind, inactive: inactive, flushing: flushing)
        } catch {
            if error.code == .notSupported, error.errno == nil {
                throw Self.failure(
                    "WARNING: IMA measurement unsupported by kernel.  Aborting operation.\n"
                        + "Couldn't create ioctl argument.")
            }
            if kind != .table, error.code == .noSuchDevice { return nil }
            throw Self.refusal(word, device, error)
        }
    }

    // MARK: deps

    func deps(_ word: String?, _ areSeveral: Bool) throws(DMSetupFailed) {
        guard let device = try device(word) else {
            return try forEveryDevice { device throws(DMSetupFailed) in try deps(of: device, areSeveral) }
        }
        try deps(of: device, areSeveral)
    }

    private func deps(of device: DMSetupDevice, _ areSeveral: Bool) throws(DMSetupFailed) {
        let inactive = options.has("inactive")
        let devices = try send("deps", device) { control throws(DeviceMapperError) in
            try control.dependencies(of: device.reference(), inactive: inactive)
        }
        let prefix = areSeveral ? "\(device.shown): " : ""
        let list = devices.map { number in
            " (\(named(number) ?? "\(number.major), \(number.minor)"))"
        }
        print("\(prefix)\(devices.count) dependencies\t:\(list.joined())")
    }

    /// The name of a device in a list, as -o asks for it; `nil` for its number.
    func named(_ number: DeviceNumber) -> String? {
        guard let text = options.text("options") else { return nil }
        return switch text.split(separator: ",").last {
        case "blkdevname": BlockName.kernel(number)
        case "devname": BlockName.mapped(number) ?? BlockName.kernel(number)
        default: nil
        }
    }

    // MARK: wait

    func wait(_ words: [String]) throws(DMSetupFailed) {
        var words = words[...]
        let device = try requiredDevice(options.nameDevice ? nil : words.popFirst())
        let last = words.popFirst().map { UInt32(truncatingIfNeeded: CNumber.leading($0).value) } ?? 0
        let flushing = !options.has("noflush")
        let information = try send("waitevent", device) { control throws(DeviceMapperError) in
            try control.waitForEvent(of: device.reference(), after: last, flushing: flushing)
        }
        if options.has("verbose") { try printInformation(information) }
    }
}

extension TargetLine {
    /// The parameters with zeros for the key of an encrypted device; a key of the kernel's keyring is no secret.
    var withoutKey: String {
        guard type == "crypt" else { return text }
        var words = text.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count > 1, !words[1].hasPrefix(":") else { return text }
        words[1] = Substring(String(repeating: "0", count: words[1].utf8.count))
        return words.joined(separator: " ")
    }
}
