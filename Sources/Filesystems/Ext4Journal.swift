internal import BlockDevices
internal import CShims
public import DeviceMapper
internal import SystemCalls
public import SystemPackage

/// The journal of an ext4 whose device has refused writes.
public enum Ext4Journal {
    /// Keeps the journal if writes of its content to their place have failed, on a full pool for example.
    ///
    /// ext4 itself notices that at the unmount, when it has nothing left to do, and marks the journal as empty all the
    /// same (seen on Linux 6.1.176 and 6.12.113): files are damaged that were synchronised long before. A file system that
    /// was stopped first keeps its journal, and the next mount writes all of it to its place. Data that was written and
    /// not synchronised is brought to the device before that, for it cannot be afterwards. A file system in use is left
    /// as it is. Where no write has failed, nothing is written or flushed.
    ///
    /// The corresponding ioctl is `EXT4_IOC_SHUTDOWN`.
    ///
    /// - Parameters:
    ///   - device: Its device.
    ///   - mountPoint: Where it is mounted.
    /// - Throws: ``FilesystemError``, with `EBUSY` when the file system is in use.
    public static func keepAfterFailedWrites(
        to device: DeviceNumber, at mountPoint: FilePath
    ) throws(FilesystemError) {
        guard haveWritesFailed(to: device) else { return }
        // MNT_EXPIRE marks a file system that is not in use and answers EAGAIN. A lookup takes away an earlier mark.
        _ = try? Stat(mountPoint)
        let flags = CInt(UMOUNT_NOFOLLOW) | CInt(MNT_EXPIRE)
        do {
            try systemCall { unsafe mountPoint.withPlatformString { unsafe umount2($0, flags) } }
            return
        } catch .resourceBusy {
            throw FilesystemError("unmount", mountPoint, errno: .resourceBusy)
        } catch {
            guard error == .resourceTemporarilyUnavailable else { return }
        }
        guard let directory = try? FileDescriptor.open(mountPoint, .readOnly, options: [.directory, .closeOnExec])
        else { return }
        _ = try? directory.closeAfter {
            // If another process has unmounted it meanwhile, this is a directory of the file system below.
            guard try DeviceNumber(Stat(directory).deviceID) == device else { return }
            _ = dmshim_sync_filesystem(directory.rawValue)
            // A kernel that does not know it, or a file system that has stopped by itself, unmounts as it always has.
            _ = dmshim_ext4_shut_down(directory.rawValue)
        }
    }

    /// Whether the kernel remembers a write to the device that has failed, or ext4 has met an error on it.
    private static func haveWritesFailed(to device: DeviceNumber) -> Bool {
        if let node = try? DeviceNode.path(of: device),
            let descriptor = try? FileDescriptor.open(node, .readOnly, options: .closeOnExec),
            let failure = try? descriptor.closeAfter({ dmshim_wait_for_writes(descriptor.rawValue) }), failure != 0
        {
            return true
        }
        // The kernel reports the failure once. If another process was told, only the count is left.
        let count = FilePath("/sys/fs/ext4/dm-\(device.minor)/errors_count")
        return ((try? PseudoFile.readLine(count)) ?? "0") != "0"
    }
}
