internal import CShims
internal import SystemCalls
internal import SystemPackage

/// The result of `statx(2)` for a file.
struct FileStatus {
    /// The numbers that tell one file of this machine from any other.
    struct Identity: Hashable {
        let device: UInt64
        let inode: UInt64
    }

    private var status = statx()

    /// Asks for the entry `name` of the open directory; a symbolic link is not followed.
    init(of name: FileName, in directory: FileDescriptor) throws(Errno) {
        try unsafe name.withCString { (name) throws(Errno) in
            try unsafe query(directory, name, AT_SYMLINK_NOFOLLOW)
        }
    }

    /// Asks for the open file.
    init(of descriptor: FileDescriptor) throws(Errno) {
        try unsafe query(descriptor, "", dmshim_AT_EMPTY_PATH)
    }

    private mutating func query(
        _ descriptor: FileDescriptor, _ name: UnsafePointer<CChar>, _ flags: CInt
    ) throws(Errno) {
        let mask = STATX_BASIC_STATS | STATX_BTIME
        try unsafe requireSuccess(dmshim_statx(descriptor.rawValue, name, flags, UInt32(mask), &status))
    }

    /// The type of the file and its permissions.
    var mode: UInt32 { UInt32(status.stx_mode) }
    var type: FileType { FileType(rawValue: mode & 0o170000) }
    var permissions: UInt32 { mode & 0o7777 }
    var userID: UInt32 { status.stx_uid }
    var groupID: UInt32 { status.stx_gid }
    var linkCount: UInt32 { status.stx_nlink }
    /// The size in bytes; no size of a file is negative.
    var size: Int64 { Int64(clamping: status.stx_size) }
    /// How many bytes are stored: less than ``size`` for a file with holes.
    var allocatedSize: Int64 { Int64(clamping: status.stx_blocks).multipliedReportingOverflow(by: 512).partialValue }
    var modificationTime: Timestamp { Timestamp(status.stx_mtime) }
    var deviceMajor: UInt32 { status.stx_rdev_major }
    var deviceMinor: UInt32 { status.stx_rdev_minor }
    var inode: UInt64 { status.stx_ino }
    /// The file system that the file is on.
    var device: UInt64 { UInt64(status.stx_dev_major) << 32 | UInt64(status.stx_dev_minor) }
    var identity: Identity { Identity(device: device, inode: inode) }

    /// Whether this file of a snapshot is certainly as it was in the file system that the snapshot was taken of.
    ///
    /// Every change of a file changes the time of its last status change, too. File systems that keep only
    /// whole seconds are not relied on.
    func isCertainlyUnchanged(since origin: FileStatus) -> Bool {
        inode == origin.inode && mode == origin.mode
            && Timestamp(status.stx_ctime) == Timestamp(origin.status.stx_ctime)
            && Timestamp(status.stx_btime) == Timestamp(origin.status.stx_btime)
            && status.stx_ctime.tv_nsec != 0 && status.stx_mask & UInt32(STATX_BTIME) != 0
    }

    /// Docker's test of whether a file was changed, as far as the status tells: `security.capability` is the rest.
    ///
    /// The time of a directory says little, since whatever is done in it changes it; the time of other files is taken
    /// as the same if one of them has whole seconds only, as in an archive.
    func differs(from origin: FileStatus) -> Bool {
        if mode != origin.mode || userID != origin.userID || groupID != origin.groupID
            || deviceMajor != origin.deviceMajor || deviceMinor != origin.deviceMinor
        {
            return true
        }
        guard type != .directory else { return false }
        let (time, originTime) = (modificationTime, origin.modificationTime)
        let isSameTime =
            time.seconds == originTime.seconds
            && (time.nanoseconds == originTime.nanoseconds || time.nanoseconds == 0 || originTime.nanoseconds == 0)
        return size != origin.size || !isSameTime
    }
}

extension Timestamp {
    init(_ time: statx_timestamp) {
        self.init(seconds: time.tv_sec, nanoseconds: time.tv_nsec)
    }
}
