internal import Glibc
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
    /// - Throws: ``FilesystemError`` with what the program printed.
    public static func make(
        _ type: FilesystemType, on device: FilePath, arguments: [String] = []
    ) throws(FilesystemError) {
        switch type {
        case .ext4:
            // lazy_journal_init is younger than the rest; mkfs.ext4 has not counted mounts or days since 1.42.
            let extended = "nodiscard,lazy_itable_init=0"
            do {
                try run(
                    "mkfs.ext4", ["-E", extended + ",lazy_journal_init=0"] + arguments, device, package: "e2fsprogs")
            } catch  where error.errno == nil {
                try run("mkfs.ext4", ["-E", extended] + arguments, device, package: "e2fsprogs")
            }
        case .xfs:
            let compatible = kernelHasChecksums() ? [] : ["-m", "crc=0,finobt=0"]
            try run("mkfs.xfs", compatible + arguments, device, package: "xfsprogs")
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

    private static func run(
        _ name: String, _ arguments: [String], _ device: FilePath, package: String
    ) throws(FilesystemError) {
        guard let program = Program.find(name) else {
            throw FilesystemError(
                "run \(name) on", device, errno: .noSuchFileOrDirectory,
                detail: "the program is not installed; install the package \(package)")
        }
        do {
            let (status, output) = try Program.run(program, arguments + [device.string])
            guard status != 0 else { return }
            let end = status > 128 ? "signal \(status - 128) ended it" : "it ended with status \(status)"
            throw FilesystemError(
                "run \(name) on", device, detail: "\(end) and printed: \(output.isEmpty ? "nothing" : output)")
        } catch let error as FilesystemError {
            throw error
        } catch {
            throw FilesystemError("run \(name) on", device, errno: error as? Errno ?? .ioError)
        }
    }
}
