/// The value of `security.capability`, the kernel's `struct vfs_cap_data`.
enum FileCapability {
    /// The capability in its form of version 2, as Docker exports it.
    ///
    /// Version 3 appends the user ID of the root of the user namespace where it is valid. Docker drops it, as it means
    /// nothing where the archive is unpacked.
    static func withoutNamespace(_ value: [UInt8]) -> [UInt8] {
        // The version is the highest byte of the little-endian word that comes first.
        guard value.count == 24, value[3] == 3 else { return value }
        var value = value
        value[3] = 2
        return Array(value.prefix(20))
    }
}
