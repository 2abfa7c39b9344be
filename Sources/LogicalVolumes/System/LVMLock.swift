internal import BlockDevices
internal import SystemCalls
internal import SystemPackage

/// A lock that lvm2's commands take as well: a file in `/run/lock/lvm`, with flock(2).
///
/// It is held until the object is gone. Which files there are and what stands for what is lvm2's: `P_global` for the set
/// of physical volumes, `V_NAME` for a volume group; the former is taken first.
final class LVMLock: Sendable {
    private static let directory: FilePath = "/run/lock/lvm"

    private let path: FilePath
    private let kind: LockOrder.Kind
    private let descriptor: FileDescriptor

    /// How long a command waits for another one to end, unless its caller says otherwise.
    static var patience: Deadline { .after(.seconds(60)) }

    /// Takes the lock of the set of physical volumes.
    static func ofAllDevices(by deadline: Deadline = patience) throws(LogicalVolumeError) -> LVMLock {
        try LVMLock("P_global", .allDevices, deadline)
    }

    /// Takes the lock of a volume group.
    static func ofGroup(_ name: String, by deadline: Deadline = patience) throws(LogicalVolumeError) -> LVMLock {
        try LVMLock("V_\(name)", .volumeGroup, deadline)
    }

    private init(_ name: String, _ kind: LockOrder.Kind, _ deadline: Deadline) throws(LogicalVolumeError) {
        let path = Self.directory.appending(name)
        self.path = path
        self.kind = kind
        do {
            for directory in [Self.directory.removingLastComponent(), Self.directory] {
                try LVMDirectory.make(directory, permissions: 0o700)
            }
            LockOrder.willWait(for: kind)
            // A process that waits holds the second file, so that a process that comes later does not overtake it.
            let queue = try Self.take(FilePath(path.string + ":aux"), deadline)
            defer { Self.release(queue, FilePath(path.string + ":aux")) }
            descriptor = try Self.take(path, deadline)
        } catch Errno.timedOut {
            let holder =
                if let process = Self.holder(of: path) {
                    "process \(process) has locked it"
                } else {
                    "“fuser \(path)” shows which process has locked it"
                }
            throw LogicalVolumeError(
                .inUse,
                "cannot lock \(path): a command of lvm2's, or another of this program's, has not ended in time; "
                    + holder)
        } catch {
            throw LogicalVolumeError(.failed, "cannot lock \(path): \(error)")
        }
        LockOrder.didTake(kind, self)
    }

    private static func take(_ path: FilePath, _ deadline: Deadline) throws -> FileDescriptor {
        let taken = try waiting(until: deadline) { () throws -> FileDescriptor? in
            while true {
                let file = try FileDescriptor.open(
                    path, .readWrite, options: [.create, .append, .closeOnExec],
                    permissions: [.ownerReadWrite])
                do {
                    try systemCall { flock(file.rawValue, LOCK_EX | LOCK_NB) }
                } catch {
                    // Nothing was written through the descriptor.
                    try? file.close()
                    if (error as? Errno) == .wouldBlock { return nil }
                    throw error
                }
                // The last holder may have removed the file meanwhile. Other processes do not see this lock then.
                if isStillThere(file, path) { return file }
                try? file.close()
            }
        }
        guard let taken else { throw Errno.timedOut }
        return taken
    }

    /// The process that has locked a file, as `/proc/locks` has it; `nil` when that cannot be found out.
    private static func holder(of path: FilePath) -> Int? {
        guard let status = try? Stat(path), let locks = try? PseudoFile.read("/proc/locks") else { return nil }
        // “1: FLOCK ADVISORY WRITE 1234 00:1a:5678 0 EOF”: the process, and behind the device's number the inode's.
        for line in String(decoding: locks, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 5, words[1] == "FLOCK", words[5].hasSuffix(":\(status.inode.rawValue)") else {
                continue
            }
            return Int(words[4])
        }
        return nil
    }

    private static func isStillThere(_ file: FileDescriptor, _ path: FilePath) -> Bool {
        guard let opened = try? Stat(file), let present = try? Stat(path) else { return false }
        return opened.isSameFile(as: present)
    }

    private static func release(_ file: FileDescriptor, _ path: FilePath) {
        // lvm2 does the same: the process that holds the lock removes the file if the file is still in its place.
        if isStillThere(file, path) { _ = unsafe unlink(path.string) }
        try? file.close()
    }

    deinit {
        Self.release(descriptor, path)
        LockOrder.didRelease(kind, self)
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

/// A directory that lvm2's commands make when they need it.
enum LVMDirectory {
    /// Makes a directory, unless it is there already.
    static func make(_ directory: FilePath, permissions: mode_t) throws(Errno) {
        do {
            try systemCall { unsafe mkdir(directory.string, permissions) }
        } catch {
            guard error == .fileExists else { throw error }
        }
    }
}
