internal import Glibc
internal import SystemPackage

/// A lock that lvm2's commands take as well: a file in `/run/lock/lvm`, with flock(2).
///
/// It is held until the object is gone. Which files there are and what stands for what is lvm2's: `P_global` for the set
/// of physical volumes, `V_NAME` for a volume group; the former is taken first.
final class LVMLock: Sendable {
    private static let directory: FilePath = "/run/lock/lvm"

    private let path: FilePath
    private let descriptor: FileDescriptor

    /// Takes the lock of the set of physical volumes.
    static func ofAllDevices() throws(LogicalVolumeError) -> LVMLock { try LVMLock("P_global") }

    /// Takes the lock of a volume group.
    static func ofGroup(_ name: String) throws(LogicalVolumeError) -> LVMLock { try LVMLock("V_\(name)") }

    private init(_ name: String, patience: Duration = .seconds(60)) throws(LogicalVolumeError) {
        path = Self.directory.appending(name)
        let deadline = ContinuousClock.now.advanced(by: patience)
        do {
            for directory in [Self.directory.removingLastComponent(), Self.directory] {
                guard unsafe mkdir(directory.string, 0o700) == 0 || errno == EEXIST else {
                    throw Errno(rawValue: errno)
                }
            }
            // Who waits holds the second file, so that it is not passed by those who come later.
            let queue = try Self.take(FilePath(path.string + ":aux"), deadline)
            do {
                descriptor = try Self.take(path, deadline)
            } catch {
                Self.release(queue, FilePath(path.string + ":aux"))
                throw error
            }
            Self.release(queue, FilePath(path.string + ":aux"))
        } catch Errno.timedOut {
            throw LogicalVolumeError(
                .inUse,
                "\(path) is locked: a command of lvm2's, or another of this program's, has not ended within \(patience); "
                    + "“fuser \(path)” shows which")
        } catch {
            throw LogicalVolumeError(.failed, "cannot lock \(path): \(error)")
        }
    }

    private static func take(_ path: FilePath, _ deadline: ContinuousClock.Instant) throws -> FileDescriptor {
        while true {
            let file = try FileDescriptor.open(
                path, .readWrite, options: [.create, .append, .closeOnExec],
                permissions: [.ownerReadWrite])
            if flock(file.rawValue, LOCK_EX | LOCK_NB) == 0 {
                // The last holder may have removed the file meanwhile; then nobody else sees this lock.
                if isStillThere(file, path) { return file }
                try? file.close()
                continue
            }
            let failure = Errno(rawValue: errno)
            try? file.close()
            guard failure == .wouldBlock || failure == .interrupted else { throw failure }
            guard ContinuousClock.now < deadline else { throw Errno.timedOut }
            usleep(20_000)
        }
    }

    private static func isStillThere(_ file: FileDescriptor, _ path: FilePath) -> Bool {
        guard let opened = try? Stat(file), let present = try? Stat(path) else { return false }
        return opened.inode == present.inode && opened.deviceID == present.deviceID
    }

    private static func release(_ file: FileDescriptor, _ path: FilePath) {
        // As lvm2 does: whoever has it alone and finds it in its place removes it.
        if isStillThere(file, path) { _ = unsafe unlink(path.string) }
        try? file.close()
    }

    deinit {
        Self.release(descriptor, path)
    }
}

/// lvm2's notes in `/run/lvm` about which devices are physical volumes.
enum LVMHints {
    /// Has lvm2 look at all devices again, because one has become a physical volume.
    static func invalidate() {
        let directory: FilePath = "/run/lvm"
        // Without the directory no command of lvm2's has run, and there are no notes.
        guard (try? Stat(directory)) != nil else { return }
        _ = unsafe unlink(directory.appending("hints").string)
        try? FileDescriptor.open(
            directory.appending("newhints"), .writeOnly, options: [.create, .truncate, .closeOnExec],
            permissions: [.ownerReadWrite, .groupRead, .otherRead]
        ).close()
    }
}
