internal import CShims
public import DeviceMapper

/// The file behind a loop device, and how it is attached.
public struct LoopStatus: Hashable, Sendable {
    /// The device of the file system that holds the file.
    public let backingDevice: DeviceNumber
    /// The file's inode number.
    public let backingInode: UInt64
    /// Where in the file the device begins, in bytes.
    public let offset: UInt64
    /// How long the device may be at most, in bytes; 0 means no limit.
    public let sizeLimit: UInt64
    /// Whether the device refuses writes.
    public let isReadOnly: Bool
    /// Whether the kernel detaches the file when the last user lets go of the device.
    public let detachesAfterLastUse: Bool
    /// Whether the file is read and written past the page cache.
    public let usesDirectIO: Bool
    /// The path by which the file was attached, cut to 63 bytes.
    ///
    /// The program that attached the file may have written any text here.
    public let fileName: String

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        backingDevice: DeviceNumber, backingInode: UInt64, offset: UInt64, sizeLimit: UInt64, isReadOnly: Bool,
        detachesAfterLastUse: Bool, usesDirectIO: Bool, fileName: String
    ) {
        self.backingDevice = backingDevice
        self.backingInode = backingInode
        self.offset = offset
        self.sizeLimit = sizeLimit
        self.isReadOnly = isReadOnly
        self.detachesAfterLastUse = detachesAfterLastUse
        self.usesDirectIO = usesDirectIO
        self.fileName = fileName
    }

    init(_ information: loop_info64) {
        backingDevice = DeviceNumber(encoded: information.lo_device)
        backingInode = information.lo_inode
        offset = information.lo_offset
        sizeLimit = information.lo_sizelimit
        isReadOnly = information.lo_flags & UInt32(LO_FLAGS_READ_ONLY) != 0
        detachesAfterLastUse = information.lo_flags & UInt32(LO_FLAGS_AUTOCLEAR) != 0
        usesDirectIO = information.lo_flags & UInt32(LO_FLAGS_DIRECT_IO) != 0
        fileName = unsafe withUnsafeBytes(of: information.lo_file_name) { name in
            unsafe String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
