internal import BlockDevices
public import SystemPackage

/// Which files of a file system are certainly as they are in another one, when both began as copies of one file system.
///
/// To ask for the status of every file takes a system call for each. A file system can say much more at once: XFS has a
/// call for the status of many inodes; of ext4 the tables of the inodes are read from the device, through the page cache
/// that the mounted file system uses itself, and compared block by block. An inode is unchanged if all that is stored
/// about it is the same, the time of its last change of status above all, which nothing can set. When a file was read
/// last is passed over.
public struct InodeComparison: Sendable {
    /// A mounted file system.
    public struct Side {
        /// An open file or directory in it.
        public let descriptor: FileDescriptor
        /// The device that it is on.
        public let device: FilePath

        /// Names a mounted file system.
        public init(_ descriptor: FileDescriptor, on device: FilePath) {
            self.descriptor = descriptor
            self.device = device
        }
    }

    /// The inodes that differ or are in one file system only, ascending.
    private let changed: [UInt64]
    /// The highest number that an inode can have in both.
    private let highest: UInt64

    /// Compares all inodes of two file systems.
    ///
    /// - Parameters:
    ///   - type: The type of both.
    ///   - upper: One file system; what is changed in it while it is read may be missed.
    ///   - lower: The other one.
    /// - Returns: `nil` when they are of a form about which nothing can be said.
    /// - Throws: `BlockDeviceError` or ``FilesystemError`` when they cannot be read.
    public init?(_ type: FilesystemType, _ upper: Side, _ lower: Side) throws {
        switch type {
        case .ext4:
            let (upperDevice, lowerDevice) = (try BlockDevice(upper.device), try BlockDevice(lower.device))
            guard let table = try Ext4InodeTable(upperDevice), let other = try Ext4InodeTable(lowerDevice),
                let changed = try table.differences(from: other)
            else { return nil }
            self.changed = changed
            highest = min(table.inodeCount, other.inodeCount)
        case .xfs:
            changed = try XFSInodes.differences(upper.descriptor, lower.descriptor)
            highest = .max
        case .btrfs:
            return nil
        }
    }

    /// Whether an inode is certainly the same in both file systems.
    ///
    /// - Parameter inode: The number of an inode that is in use in both.
    public func isUnchanged(_ inode: UInt64) -> Bool {
        guard inode <= highest else { return false }
        var range = changed.indices
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if changed[middle] == inode { return false }
            range = changed[middle] < inode ? middle + 1..<range.upperBound : range.lowerBound..<middle
        }
        return true
    }
}
