internal import SystemCalls
public import SystemPackage

/// Making file systems.
public enum FilesystemMaker {
    /// Makes a file system with its own program: the only processes that a store ever starts.
    ///
    /// The arguments are those of Docker's driver.
    ///
    /// - Parameters:
    ///   - type: ext4 or XFS.
    ///   - device: The device's node.
    ///   - arguments: Further arguments, before the device.
    ///   - isWanted: Is asked again and again while the program runs, for a caller that has to see to the device. When it
    ///     answers no, the program is killed.
    /// - Throws: ``FilesystemError`` with what the program printed; with `ECANCELED` when it was killed.
    public static func make(
        _ type: FilesystemType, on device: FilePath, arguments: [String] = [], isWanted: () -> Bool = { true }
    ) throws(FilesystemError) {
        func run(_ arguments: [String]) throws(FilesystemError) {
            try self.run(type, arguments, device, isWanted)
        }
        switch type {
        case .ext4:
            // lazy_journal_init is younger than the rest; mkfs.ext4 has not counted mounts or days since 1.42.
            let extended = "nodiscard,lazy_itable_init=0"
            do {
                try run(["-E", extended + ",lazy_journal_init=0"] + arguments)
            } catch  where error.errno == nil {
                try run(["-E", extended] + arguments)
            }
        case .xfs:
            let compatible = kernelHasChecksums() ? [] : ["-m", "crc=0,finobt=0"]
            try run(compatible + arguments)
        case .btrfs:
            throw FilesystemError("make a btrfs on", device, detail: "a store is made with ext4 or xfs")
        }
    }

    /// Kernels before 3.16 cannot mount an XFS with checksums.
    private static func kernelHasChecksums() -> Bool {
        var name = utsname()
        guard unsafe uname(&name) == 0 else { return true }
        let release = unsafe withUnsafeBytes(of: name.release) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        let parts = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
        guard parts.count == 2 else { return true }
        return (parts[0], parts[1]) >= (3, 16)
    }

    /// The program that makes file systems of a type.
    ///
    /// - Throws: ``FilesystemError`` with the package to install, when the machine does not have it.
    @discardableResult
    public static func program(for type: FilesystemType) throws(FilesystemError) -> FilePath {
        let name = "mkfs.\(type.rawValue)"
        guard let program = Program.find(name) else {
            let package =
                switch type {
                case .ext4: "e2fsprogs"
                case .xfs: "xfsprogs"
                case .btrfs: "btrfs-progs"
                }
            throw FilesystemError(
                "run", FilePath(name), errno: .noSuchFileOrDirectory,
                detail: "the program is not installed; install the package \(package)")
        }
        return program
    }

    private static func run(
        _ type: FilesystemType, _ arguments: [String], _ device: FilePath, _ isWanted: () -> Bool
    ) throws(FilesystemError) {
        let program = try program(for: type)
        let operation = "run mkfs.\(type.rawValue) on"
        do {
            let (status, output) = try Program.run(program, arguments + [device.string], isWanted: isWanted)
            guard status != 0 else { return }
            let end = status > 128 ? "signal \(status - 128) ended it" : "it ended with status \(status)"
            let complaint = complaint(of: type, in: output)
            throw FilesystemError(
                operation, device, detail: "\(end) and printed: \(complaint.isEmpty ? "nothing" : complaint)")
        } catch let error as FilesystemError {
            throw error
        } catch {
            throw FilesystemError(operation, device, errno: error as? Errno ?? .ioError)
        }
    }

    /// The error message of a program in one line: without its version, its usage and its progress report.
    static func complaint(of type: FilesystemType, in output: String) -> String {
        let lines = output.split(whereSeparator: \.isNewline).map { line in
            line.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }.filter { !$0.isEmpty && !$0.hasPrefix("mke2fs 1.") }
        let own = lines.filter { $0.contains("mkfs.\(type.rawValue): ") }
        let before = lines.prefix { !$0.lowercased().hasPrefix("usage") }
        let chosen = own.isEmpty ? (before.isEmpty ? lines : Array(before)) : own
        let text = chosen.joined(separator: "; ")
        return text.count > longestComplaint ? text.prefix(longestComplaint) + "…" : text
    }

    private static let longestComplaint = 400
}
