/// The whole table, and the search for what it recognises.
extension DeviceSignature {
    /// Everything that is recognised.
    package static let all = filesystems + otherFilesystems + volumes + raidMembers + partitionTables

    /// Looks for everything that is recognised.
    ///
    /// - Parameters:
    ///   - size: The size of the device in bytes.
    ///   - read: Reads bytes of the device, fewer at its end.
    /// - Throws: The errors of `read`.
    package static func found(
        size: UInt64, read: @escaping (_ offset: UInt64, _ count: Int) throws -> [UInt8]
    ) throws -> [DeviceSignature] {
        let device = DeviceBytes(size: size, read: read)
        let found = try all.filter { try $0.isFound(on: device) }
        // A boot sector has the mark of a partition table whether or not it is one.
        let hasBootSector = found.contains { !bootSectorNames.isDisjoint(with: $0.names) }
        // The log of an XFS is part of it.
        let hasXFS = found.contains { $0.names.contains("xfs") }
        return found.filter {
            !(hasBootSector && $0.names.contains("dos")) && !(hasXFS && $0.names.contains("xfs_external_log"))
        }
    }

    /// File systems that begin with a boot sector of the same form as a partition table.
    private static let bootSectorNames: Set<String> = ["vfat", "ntfs", "exfat", "BitLocker"]

    /// How many bytes at each end of a device hold all magic bytes of the table.
    package static let reach: UInt64 = all.flatMap(\.places).map(\.reach).max() ?? 0
}
