internal import CShims
internal import SystemCalls
public import SystemPackage

/// Making file systems larger while they are mounted.
public enum FilesystemGrowth {
    /// Makes a mounted file system as large as `size` allows; one that is that large already stays as it is.
    ///
    /// The corresponding ioctls are `EXT4_IOC_RESIZE_FS` and `XFS_IOC_FSGROWFSDATA`.
    ///
    /// - Parameters:
    ///   - type: ext4 or XFS.
    ///   - mountPoint: Where it is mounted.
    ///   - size: The size of its device in bytes.
    /// - Throws: ``FilesystemError``, with `EINVAL` when the file system is larger than `size`.
    public static func grow(
        _ type: FilesystemType, at mountPoint: FilePath, to size: UInt64
    ) throws(FilesystemError) {
        do {
            let descriptor = try FileDescriptor.open(mountPoint, .readOnly, options: [.directory, .closeOnExec])
            try descriptor.closeAfter {
                switch type {
                case .ext4: try growExt4(descriptor, size)
                case .xfs: try growXFS(descriptor, size)
                case .btrfs: throw Errno.notSupported
                }
            }
        } catch {
            throw FilesystemError("enlarge the file system at", mountPoint, errno: error as? Errno ?? .ioError)
        }
    }

    private static func growExt4(_ descriptor: FileDescriptor, _ size: UInt64) throws(Errno) {
        var status = statvfs()
        try systemCall { unsafe fstatvfs(descriptor.rawValue, &status) }
        guard status.f_bsize > 0 else { throw .invalidArgument }
        try requireSuccess(dmshim_ext4_resize(descriptor.rawValue, size / UInt64(status.f_bsize)))
    }

    private static func growXFS(_ descriptor: FileDescriptor, _ size: UInt64) throws(Errno) {
        var geometry = dmshim_xfs_geometry()
        try unsafe requireSuccess(dmshim_xfs_geometry(descriptor.rawValue, &geometry))
        guard geometry.block_size > 0 else { throw .invalidArgument }
        let blocks = size / UInt64(geometry.block_size)
        if blocks == geometry.data_blocks { return }
        // Newer kernels would shrink it.
        guard blocks > geometry.data_blocks else { throw .invalidArgument }
        try requireSuccess(dmshim_xfs_grow(descriptor.rawValue, blocks, geometry.maximum_inode_percentage))
    }
}
