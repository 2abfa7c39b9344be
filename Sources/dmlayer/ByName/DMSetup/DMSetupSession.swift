internal import DeviceMapper
internal import SystemCalls
internal import SystemPackage

/// A command that failed and has said why.
struct DMSetupFailed: Error {
    /// Whether nothing more is printed.
    var isLast = false
}

/// One call of dmsetup: its options, its way to the kernel, and the output that it has not written yet.
final class DMSetupSession {
    let options: DMSetupOptions
    /// Where the nodes of devices are, and the one by which the kernel is reached.
    let directory: MapperDirectory
    /// How names of the command line become names of the kernel.
    let mangling: NameMangling
    /// How names of the kernel become names in lists; “mangle” lists them as they are.
    var listMangling: NameMangling
    var report: DMReport?
    var wantsFieldHelp = false
    /// How many devices of `table --concise` are printed.
    var conciseDevices = 0
    private var knownRelations: DMSetupRelations?
    private var opened: Control?
    private var output: [UInt8] = []
    /// The cookie and the flags for udev's rules, for which the command waits at its end.
    private(set) lazy var udev = DMSetupUdev(options, hasUsualNodes: directory == .usual)

    init(_ options: DMSetupOptions, _ directory: MapperDirectory) {
        (self.options, self.directory) = (options, directory)
        mangling =
            options.text("manglename").flatMap { NameMangling(rawValue: $0) }
            ?? DMSetupEnvironment.value("DM_DEFAULT_NAME_MANGLING_MODE").flatMap { NameMangling(rawValue: $0) } ?? .auto
        listMangling = mangling
    }

    /// Which mapped devices use which, found out once.
    func relations() throws(DMSetupFailed) -> DMSetupRelations {
        if let knownRelations { return knownRelations }
        let found = try DMSetupRelations(self)
        knownRelations = found
        return found
    }

    // MARK: Output

    /// Prints a line on standard output, at the end of the command or when the buffer is full.
    func print(_ text: String) {
        output += text.utf8
        output.append(UInt8(ascii: "\n"))
        if output.count > 1 << 16 { flush() }
    }

    /// Prints a text without an end of line.
    func printPart(_ text: String) { output += text.utf8 }

    func flush() {
        // Where standard output is closed, nobody reads.
        _ = try? FileDescriptor.standardOutput.writeAll(output)
        output = []
    }

    /// Prints a line on standard error.
    static func complain(_ text: String) {
        // Where standard error is closed, nobody listens.
        _ = try? FileDescriptor.standardError.writeAll(Array((text + "\n").utf8))
    }

    /// Says why the command fails.
    static func failure(_ text: String, isLast: Bool = false) -> DMSetupFailed {
        complain(text)
        return DMSetupFailed(isLast: isLast)
    }

    // MARK: The kernel

    /// The way to the kernel, opened when a command first needs it.
    func control() throws(DMSetupFailed) -> Control {
        if let opened { return opened }
        do throws(DeviceMapperError) {
            let node = try directory.makeControlNode()
            let control = Control(transport: try KernelTransport(path: node))
            opened = control
            return control
        } catch {
            let reason = error.errno.map { "\($0)" } ?? "\(error)"
            throw Self.failure(
                "\(directory.path)/control: open failed: \(reason)\nFailure to communicate with kernel device-mapper driver."
            )
        }
    }

    /// Sends a command, and prints the line of dmsetup if the kernel refuses it.
    ///
    /// - Parameters:
    ///   - word: dmsetup's name of the command.
    ///   - device: The device that the line names.
    func send<Answer>(
        _ word: String, _ device: DMSetupDevice, _ command: (Control) throws(DeviceMapperError) -> Answer
    ) throws(DMSetupFailed) -> Answer {
        let control = try control()
        do throws(DeviceMapperError) {
            return try command(control)
        } catch {
            throw Self.refusal(word, device, error)
        }
    }

    static func refusal(_ word: String, _ device: DMSetupDevice, _ error: DeviceMapperError) -> DMSetupFailed {
        let reason = error.errno ?? .invalidArgument
        return failure("device-mapper: \(word) ioctl on \(device.subject) failed: \(reason)")
    }

    /// The state of a device; a device that does not exist is no failure here.
    func information(on device: DMSetupDevice, inactive: Bool = false) throws(DMSetupFailed) -> DeviceInformation? {
        let control = try control()
        do throws(DeviceMapperError) {
            return try control.information(on: device.reference(), inactive: inactive)
        } catch {
            if error.code == .noSuchDevice { return nil }
            throw Self.refusal("info", device, error)
        }
    }

    /// The devices of the kernel, in its order.
    func devices() throws(DMSetupFailed) -> [DMSetupDevice] {
        let none = DMSetupDevice()
        let entries = try send("names", none) { control throws(DeviceMapperError) in
            try control.devices(withUUIDs: false)
        }
        var isBroken = false
        var devices: [DMSetupDevice] = []
        for entry in entries {
            do throws(DMSetupFailed) {
                let name = entry.name.description
                devices.append(DMSetupDevice(name: name, shown: try shown(name, "name"), number: entry.number))
            } catch {
                isBroken = true
            }
        }
        if isBroken { throw DMSetupFailed() }
        return devices
    }

    /// A name or uuid of the kernel as people see it.
    func shown(_ text: String, _ kind: String) throws(DMSetupFailed) -> String {
        do throws(NameMangling.Problem) {
            return try listMangling.unmangled(text)
        } catch {
            throw Self.failure(
                error == .isMangledTwice
                    ? "The \(kind) \"\(text)\" seems to be mangled more than once. This is not allowed in auto mode."
                    : "The \(kind) \"\(text)\" should be mangled but it contains blacklisted characters.")
        }
    }

    /// A name or uuid of the command line as the kernel gets it.
    func mangled(_ text: String, _ kind: String) throws(DMSetupFailed) -> String {
        do throws(NameMangling.Problem) {
            return try mangling.mangled(text)
        } catch {
            let title = kind == "uuid" ? "UUID" : kind
            throw Self.failure(
                "The \(title) \"\(text)\" contains mixed mangled and unmangled characters or it's already mangled improperly.\n"
                    + "Failed to mangle device \(kind) \"\(text)\".")
        }
    }
}

/// The environment of the program.
enum DMSetupEnvironment {
    /// The directory of the nodes: `mapper` below the one that `DM_DEV_DIR` names; `nil` where that is no path from the root.
    static var directory: MapperDirectory? {
        guard let text = value("DM_DEV_DIR"), !text.isEmpty else { return .usual }
        let path = FilePath(text).appending("mapper")
        return path.isAbsolute && path.length < PATH_MAX ? MapperDirectory(path) : nil
    }

    static func value(_ name: String) -> String? {
        guard let text = unsafe getenv(name) else { return nil }
        return unsafe String(cString: text)
    }
}
