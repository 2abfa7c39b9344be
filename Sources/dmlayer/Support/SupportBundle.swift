internal import LayerArchive
internal import SystemCalls
internal import SystemPackage

/// The files of a report.
struct SupportBundle {
    /// How long a command may take.
    private static let patience = Duration.seconds(60)
    private static let longestOutput = 16 << 20

    /// The words of storage in the kernel's log.
    private static let logWords = [
        "device-mapper", "dm-", "loop", "EXT4-fs", "JBD2", "XFS", "I/O error", "blocked for more", "BUG", "WARNING",
    ]

    private var files: [(name: String, content: [UInt8])] = []

    /// The names of the files.
    var names: [String] { files.map(\.name) }

    /// Adds a file.
    mutating func add(_ name: String, _ text: String) { files.append((name, Array(text.utf8))) }

    // MARK: Commands

    /// Adds what the commands say about all mapped devices.
    mutating func addDevices() {
        add("version.txt", outputOf(["--version"]))
        let queries = ["version", "targets", "ls", "info", "table", "status", "tree"]
        for query in queries { add("dm-\(query).txt", outputOf(["dm", query])) }
    }

    /// Adds what the commands say about the store.
    ///
    /// - Parameter options: The options that name the store.
    mutating func addCommands(_ options: [String]) {
        let commands = [["info"], ["pool", "status"], ["check"], ["list"], ["snapshot", "list"]]
        for words in commands {
            add("\(words.joined(separator: "-")).json", outputOf(words + ["--json"] + options))
        }
    }

    /// Takes the pool down that the commands have activated for reading.
    mutating func takePoolDown(_ options: [String]) {
        add("shutdown.txt", outputOf(["shutdown", "--read-only"] + options))
    }

    /// Runs this program with some arguments, and returns its output.
    private func outputOf(_ words: [String]) -> String {
        let deadline = ContinuousClock.now + Self.patience
        do {
            let (status, output) = try Program.run(
                "/proc/self/exe", words, longestOutput: Self.longestOutput, isWanted: { ContinuousClock.now < deadline }
            )
            return status == 0 ? output : "\(output)\n(exit status \(status))\n"
        } catch Errno.canceled {
            return "“\(words.joined(separator: " "))” had not ended after \(Self.patience), and was killed.\n"
        } catch {
            return "“\(words.joined(separator: " "))” cannot be run: \(error)\n"
        }
    }

    // MARK: The machine

    /// Adds what the kernel says.
    mutating func addKernel() {
        for (name, path) in [("kernel.txt", "/proc/version"), ("system.txt", "/etc/os-release")] { addFile(name, path) }
        let log = Self.kernelLog().split(separator: "\n").filter { line in
            Self.logWords.contains { line.contains($0) }
        }
        add("kernel-log.txt", log.map { $0 + "\n" }.joined())
    }

    /// Adds the mounts of mapped devices and loop devices, and those of the store.
    mutating func addMounts(below root: FilePath) {
        let mounts = Self.text(of: "/proc/self/mountinfo").split(separator: "\n").filter { line in
            ["/dev/mapper/", "/dev/dm-", "/dev/loop", root.string].contains { line.contains($0) }
        }
        add("mounts.txt", mounts.map { $0 + "\n" }.joined())
    }

    /// Adds what is understood of the configuration file: the file itself may have secrets of Docker's.
    ///
    /// - Parameter named: The one that the command line names.
    mutating func addConfiguration(_ named: String?) {
        let path = named ?? GlobalOptions.defaultConfiguration
        let isThere = unsafe access(path, F_OK) == 0
        guard named != nil || isThere else { return }
        add("configuration.txt", outputOf(["config", "check", path]))
    }

    private mutating func addFile(_ name: String, _ path: String) { add(name, Self.text(of: path)) }

    private static func text(of path: String) -> String {
        do {
            return try String(readingFile: FilePath(path))
        } catch {
            return "\(error)\n"
        }
    }

    /// The records of the kernel's log, as `/dev/kmsg` gives them: a priority, a number and a time before each message.
    private static func kernelLog() -> String {
        var text = ""
        do {
            let log = try FileDescriptor.open(FilePath("/dev/kmsg"), .readOnly, options: [.nonBlocking, .closeOnExec])
            // Nothing was written to it.
            defer { try? log.close() }
            var record = [UInt8](repeating: 0, count: 1 << 13)
            while true {
                do {
                    let count = try unsafe record.withUnsafeMutableBytes { unsafe try log.read(into: $0) }
                    text += String(decoding: record[..<count], as: UTF8.self)
                } catch Errno.brokenPipe {
                    // The kernel has replaced the record meanwhile, and goes on with the oldest that it has.
                }
            }
        } catch Errno.resourceTemporarilyUnavailable {
            return text
        } catch {
            return "\(text)The kernel's log (device-mapper) cannot be read: \(error)\n"
        }
    }

    // MARK: The archive

    /// Writes the archive.
    func write(to output: FileDescriptor) throws {
        let writer = TarWriter(output)
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        for (name, content) in files {
            var entry = TarEntry(path: Array("dmlayer-support/\(name)".utf8), kind: .file, permissions: 0o600)
            entry.size = Int64(content.count)
            entry.modificationTime = Timestamp(seconds: Int64(now.tv_sec))
            try writer.append(entry)
            try writer.write(content.span)
        }
        try writer.finish()
    }
}
