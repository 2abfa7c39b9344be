internal import CShims
internal import SystemCalls
internal import SystemPackage

/// A file that is about to stand behind a loop device, open and locked.
struct BackingFile: ~Copyable {
    let descriptor: FileDescriptor
    let path: FilePath
    let status: Stat

    private init(_ descriptor: FileDescriptor, _ path: FilePath, _ status: Stat) {
        self.descriptor = descriptor
        self.path = path
        self.status = status
    }

    deinit {
        try? descriptor.close()
    }

    /// Opens the file at `path` and takes a lock on it.
    ///
    /// The lock belongs to the open file, not to this process, and a loop device keeps its file open. So the lock lasts
    /// as long as the file is attached: of two attempts to attach a file for writing one fails, whoever makes them.
    ///
    /// The corresponding C functions are `open` and `flock`.
    static func open(_ path: FilePath, isReadOnly: Bool) throws(BlockDeviceError) -> BackingFile {
        // Before it is opened, since opening a FIFO would wait for its other end.
        do { try requireSuitable(try Stat(path), path) } catch { throw self.error(path, error) }
        let file: BackingFile
        do {
            let descriptor = try FileDescriptor.open(
                path, isReadOnly ? .readOnly : .readWrite, options: .closeOnExec)
            do {
                file = BackingFile(descriptor, path, try Stat(descriptor))
            } catch {
                try? descriptor.close()
                throw error
            }
        } catch {
            throw self.error(path, error)
        }
        try requireSuitable(file.status, path)
        try file.lock(isShared: isReadOnly)
        return file
    }

    /// Whether the file can be read past the page cache in blocks of `size` bytes.
    ///
    /// The kernel's loop devices ask only the uppermost file system. An overlay says yes. If the file system below it
    /// takes no direct I/O, each read fails then, and in Linux 5.10 a write stops the kernel. Opening a file for direct
    /// I/O asks the file system below too, and a read finds one that takes it only in larger blocks.
    ///
    /// The corresponding C constant is `O_DIRECT`.
    borrowing func takesDirectIO(inBlocksOf size: Int) -> Bool {
        do {
            let direct = try FileDescriptor.open(
                FilePath("/proc/self/fd/\(descriptor.rawValue)"), .readOnly,
                options: [.init(rawValue: dmshim_O_DIRECT), .closeOnExec])
            return try direct.closeAfter {
                let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 4096)
                defer { unsafe buffer.deallocate() }
                // An offset that is a multiple of no larger block, unless the file has just one.
                let offset = status.size >= 2 * size ? Int64(size) : 0
                return try unsafe direct.read(fromAbsoluteOffset: offset, into: buffer) == size
            }
        } catch {
            return false
        }
    }

    private static func requireSuitable(_ status: Stat, _ path: FilePath) throws(BlockDeviceError) {
        let complaint: String
        switch status.type {
        case .regular where status.size >= 512: return
        case .regular: complaint = "the file has \(status.size) bytes, not even one sector: give it its size first"
        case .directory: complaint = "it is a directory, a regular file is needed"
        case .blockSpecial: complaint = "it is a block device already, use it as it is"
        default: complaint = "it is no regular file"
        }
        throw BlockDeviceError(.unsuitableFile, LoopDevice.attachment, path, detail: complaint)
    }

    private static func error(_ path: FilePath, _ error: any Error) -> BlockDeviceError {
        if let error = error as? BlockDeviceError { return error }
        return BlockDeviceError(LoopDevice.attachment, path, (error as? Errno) ?? .ioError)
    }

    /// Locks the file, and waits half a second for the lock.
    ///
    /// A loop device that is being detached keeps the lock until its last user has closed the device. That user may be a
    /// program that examines every device that changes.
    private func lock(isShared: Bool) throws(BlockDeviceError) {
        let operation = (isShared ? LOCK_SH : LOCK_EX) | LOCK_NB
        let isLocked = waiting(until: .after(.milliseconds(500))) { () -> Bool? in
            do {
                try systemCall { flock(descriptor.rawValue, operation) }
                return true
            } catch Errno.wouldBlock {
                return nil
            } catch {
                // A network file system may have no locks. The file is used without a lock then.
                return true
            }
        }
        guard isLocked == nil else { return }
        throw BlockDeviceError(
            .alreadyAttached, LoopDevice.attachment, path, errno: .wouldBlock,
            detail: "another process has locked the file, or a loop device has it attached"
                + " (“losetup --associated \(path)” shows it)")
    }
}
