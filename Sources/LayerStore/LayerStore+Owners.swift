internal import CShims
internal import Glibc
internal import SystemPackage

/// The owners of a layer's files, for containers in user namespaces.
extension LayerStore {
    /// Whether the kernel can mount the store's file systems with other owners than the device has: id-mapped mounts.
    ///
    /// ext4 and XFS have had them since Linux 5.12, the release that has the system call for them.
    public static var hasMappedOwners: Bool { dmshim_has_mount_attributes() != 0 }

    /// The user and the group that own the top directory of a layer's content.
    ///
    /// A layer that is not mounted is mounted for the time of the call, as ``changes(of:against:cancellation:)`` does it.
    ///
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``; what the kernel says.
    public func owner(of id: LayerID) throws(LayerStoreError) -> (user: UInt32, group: UInt32) {
        try attempting("read the owner of layer \(id)") {
            let content = try withPool(layers: [id]) { pool, _ in try readableContent(of: id, in: pool) }
            defer { close(content, locking: true) }
            guard let directory = content.directory else { return (0, 0) }
            var status = stat()
            guard unsafe fstat(directory.rawValue, &status) == 0 else { throw Errno(rawValue: errno) }
            return (status.st_uid, status.st_gid)
        }
    }
}
