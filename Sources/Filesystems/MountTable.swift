internal import BlockDevices
public import DeviceMapper
public import SystemPackage

/// The mounts in the mount namespace of a process.
public struct MountTable: Hashable, Sendable {
    /// One mount.
    public struct Entry: Hashable, Sendable {
        /// The device of the file system, or the kernel's stand-in for one.
        public let device: DeviceNumber
        /// The directory of the file system that is mounted, `/` for all of it.
        public let root: String
        /// The place where it is mounted.
        public let mountPoint: FilePath
        /// The options of the mount.
        public let options: String
        /// The options of the file system, which all of its mounts share.
        public let filesystemOptions: String
        /// The SELinux label of all of its files, if it was mounted with one.
        public var label: String? {
            let key = "context="
            return MountOptions.words(filesystemOptions).first { $0.hasPrefix(key) }.map { option in
                String(option.dropFirst(key.count).filter { $0 != "\"" })
            }
        }
        /// The name of the file system's type.
        public let type: String
        /// The source of the mount, mostly the path of a device.
        public let source: String
    }

    /// The mounts, in the order in which they were made.
    public let entries: [Entry]

    /// The mounts that this process sees.
    public static func current() throws(FilesystemError) -> MountTable {
        try MountTable(reading: "/proc/self/mountinfo")
    }

    /// The mounts in a file of the form of `/proc/PID/mountinfo`.
    public init(reading path: FilePath) throws(FilesystemError) {
        do {
            self.init(parsing: try PseudoFile.read(path))
        } catch {
            throw FilesystemError("read", path, errno: error)
        }
    }

    /// Reads the text of such a file; lines of another form are passed over.
    init(parsing content: [UInt8]) {
        entries = content.split(separator: UInt8(ascii: "\n")).compactMap(Self.entry)
    }

    private static func entry(_ line: ArraySlice<UInt8>) -> Entry? {
        // A source may be empty, and is a field all the same.
        let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        // Optional fields stand between the sixth and a lone hyphen.
        guard let hyphen = fields.firstIndex(where: { $0.elementsEqual("-".utf8) }), hyphen >= 6,
            fields.count >= hyphen + 3, let device = DeviceNumber(String(decoding: fields[2], as: UTF8.self))
        else { return nil }
        return Entry(
            device: device, root: text(fields[3]), mountPoint: path(fields[4]),
            options: String(decoding: fields[5], as: UTF8.self),
            filesystemOptions: fields.count > hyphen + 3 ? String(decoding: fields[hyphen + 3], as: UTF8.self) : "",
            type: String(decoding: fields[hyphen + 1], as: UTF8.self), source: text(fields[hyphen + 2]))
    }

    private static func text(_ field: ArraySlice<UInt8>) -> String {
        String(decoding: unescaped(field), as: UTF8.self)
    }

    /// A path keeps its bytes, which need not be UTF-8.
    static func path(_ field: ArraySlice<UInt8>) -> FilePath {
        unsafe FilePath(platformString: unescaped(field).map(CChar.init(bitPattern:)) + [0])
    }

    /// Blanks, tabs, newlines and backslashes in a path are written as three octal digits behind a backslash.
    private static func unescaped(_ field: ArraySlice<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = field
        while let byte = rest.popFirst() {
            let digits = rest.prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3, digits.allSatisfy({ (0x30...0x37).contains($0) }),
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
            {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }
}
