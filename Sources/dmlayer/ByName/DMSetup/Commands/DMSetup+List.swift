internal import DeviceMapper
internal import SystemCalls

extension DMSetupSession {
    /// Lists the devices, as lines or as a tree, or runs a command for each.
    func list() throws(DMSetupFailed) {
        if !options.has("tree"), !options.has("target"), !options.has("exec") { return try listNames() }
        let devices = try devices()
        if devices.isEmpty { return print("No devices found") }
        if options.has("tree") {
            var tree = DMSetupTree(options.text("options") ?? "", self)
            return try tree.print(devices)
        }
        let wanted = options.text("target")
        for device in devices {
            if let wanted {
                let lines = try send("status", device) { control throws(DeviceMapperError) in
                    try control.lines(of: device.reference(), .status, flushing: true).lines
                }
                guard lines.contains(where: { $0.type == wanted }) else { continue }
            }
            if let command = options.text("exec") {
                // The program finds the node where its argument says.
                if let number = device.number { try makeNode(number, device.shown) }
                try execute(command, device.shown)
            } else if let number = device.number {
                let place = named(number) ?? "\(number.major), \(number.minor)"
                print("\(device.shown)\t(\(place))")
            }
        }
    }

    /// Lists the devices without an array of all of them, which takes longest where there are thousands.
    private func listNames() throws(DMSetupFailed) {
        let entries = try send("names", DMSetupDevice()) { control throws(DeviceMapperError) in
            try control.devices(withUUIDs: false)
        }
        if entries.isEmpty { return print("No devices found") }
        var isBroken = false
        var lines = ""
        for entry in entries {
            do throws(DMSetupFailed) {
                lines += try shown(entry.name.description, "name")
                lines += "\t("
                lines += named(entry.number) ?? entry.number.description
                lines += ")\n"
            } catch {
                isBroken = true
            }
        }
        if isBroken { throw DMSetupFailed() }
        printPart(lines)
    }

    /// Runs a program with the node of a device as its last argument; its status does not matter.
    private func execute(_ command: String, _ name: String) throws(DMSetupFailed) {
        let words = command.split(whereSeparator: \.isWhitespace).map(String.init) + ["\(directory.path)/\(name)"]
        guard words.count > 1 else { throw DMSetupFailed() }
        // The program's lines come behind those that are printed already.
        flush()
        var arguments = unsafe words.map { unsafe strdup($0) } + [nil]
        defer { unsafe arguments.forEach { unsafe free($0) } }
        var process: pid_t = 0
        guard unsafe posix_spawnp(&process, words[0], nil, nil, &arguments, environ) == 0 else { return }
        var status: CInt = 0
        // The child is this program's own; nothing is to be done if it is not there to be waited for.
        _ = try? systemCall { unsafe waitpid(process, &status, 0) }
    }
}
