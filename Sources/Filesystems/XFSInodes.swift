internal import CShims
internal import SystemCalls
internal import SystemPackage

/// The inodes of a mounted XFS in the order of their numbers, many with each call.
///
/// The corresponding ioctl is `XFS_IOC_BULKSTAT`.
struct XFSInodes {
    private static let capacity = 1024

    private let descriptor: FileDescriptor
    private var inodes = [dmshim_xfs_inode](repeating: dmshim_xfs_inode(), count: capacity)
    private var position = 0
    private var count = 0
    private var next: UInt64 = 0

    private init(_ descriptor: FileDescriptor) throws(FilesystemError) {
        self.descriptor = descriptor
        try fill()
    }

    /// The numbers of the inodes that differ, or that only one file system has, ascending.
    static func differences(
        _ upper: FileDescriptor, _ lower: FileDescriptor
    ) throws(FilesystemError) -> [UInt64] {
        var (upper, lower) = (try XFSInodes(upper), try XFSInodes(lower))
        var numbers: [UInt64] = []
        while let number = [upper.current?.number, lower.current?.number].compactMap(\.self).min() {
            let isInUpper = upper.current?.number == number
            let isInLower = lower.current?.number == number
            if let one = upper.current, let other = lower.current, isInUpper, isInLower {
                if !isSame(one, other) { numbers.append(number) }
            } else {
                numbers.append(number)
            }
            if isInUpper { try upper.advance() }
            if isInLower { try lower.advance() }
        }
        return numbers
    }

    private var current: dmshim_xfs_inode? { position < count ? inodes[position] : nil }

    private mutating func advance() throws(FilesystemError) {
        position += 1
        if position == count { try fill() }
    }

    private mutating func fill() throws(FilesystemError) {
        position = 0
        var filled: UInt32 = 0
        do {
            try unsafe requireSuccess(
                dmshim_xfs_inodes(descriptor.rawValue, &next, &inodes, UInt32(Self.capacity), &filled))
        } catch {
            throw FilesystemError(
                "list the inodes of the file system at", FilePath("/proc/self/fd/\(descriptor.rawValue)"),
                errno: error)
        }
        count = Int(filled)
    }

    private static func isSame(_ one: dmshim_xfs_inode, _ other: dmshim_xfs_inode) -> Bool {
        one.change_time == other.change_time && one.change_nanoseconds == other.change_nanoseconds
            // A time of whole seconds may be that of an earlier change.
            && one.change_nanoseconds != 0
            && one.generation == other.generation
            && one.birth_time == other.birth_time && one.birth_nanoseconds == other.birth_nanoseconds
            && one.modification_time == other.modification_time
            && one.modification_nanoseconds == other.modification_nanoseconds
            && one.mode == other.mode && one.user == other.user && one.group == other.group
            && one.size == other.size && one.blocks == other.blocks && one.device == other.device
            && one.link_count == other.link_count && one.flags == other.flags
    }
}
