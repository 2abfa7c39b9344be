/// A file in a tar archive, without its contents.
public struct TarEntry: Hashable, Sendable {
    /// The kinds of files.
    public enum Kind: Hashable, Sendable {
        /// A regular file, the only kind with contents.
        case file
        /// Another name of a file that came before in the archive, or is in a layer below.
        case hardLink
        /// A symbolic link.
        case symbolicLink
        /// A node for a character device.
        case characterDevice
        /// A node for a block device.
        case blockDevice
        /// A directory.
        case directory
        /// A named pipe.
        case fifo
    }

    /// The bytes of the name, as they are in the archive.
    public var path: [UInt8]
    /// The kind of the file.
    public var kind: Kind
    /// The bytes of a symbolic link's target, or of the name that a hard link shares the file with.
    public var linkTarget: [UInt8] = []
    /// The size of the contents in bytes, with holes; for other kinds than files the archive's value, mostly 0.
    public var size: Int64 = 0
    /// Where the data is in the contents of a file that has holes, ascending; `nil` when it is everywhere.
    ///
    /// To be written, the lengths must be multiples of 512, but for the last one.
    public var dataRanges: [Range<Int64>]?
    /// The permissions with set-user-ID, set-group-ID and sticky bit: 12 bits.
    public var permissions: UInt32
    /// The number of the user who owns it.
    public var userID: UInt32 = 0
    /// The number of the group that owns it.
    public var groupID: UInt32 = 0
    /// When the contents were last changed.
    public var modificationTime = Timestamp(seconds: 0)
    /// The major number of a device node.
    public var deviceMajor: UInt32 = 0
    /// The minor number of a device node.
    public var deviceMinor: UInt32 = 0
    /// The extended attributes.
    public var attributes: [ExtendedAttribute] = []
    /// The byte offset in the archive where the entry begins, with what precedes its header.
    public internal(set) var offset: Int64 = 0

    /// Makes an entry; its other properties are set afterwards.
    public init(path: [UInt8], kind: Kind, permissions: UInt32) {
        self.path = path
        self.kind = kind
        self.permissions = permissions
    }
}
