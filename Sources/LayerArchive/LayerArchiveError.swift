public import SystemPackage

/// A layer that could not be compared, archived or unpacked.
public struct LayerArchiveError: Error, Hashable, Sendable {
    /// The kind of the failure, for a program to decide on.
    public struct Code: Hashable, Sendable {
        private enum Value: String {
            case malformed, truncated, unsupported, outsideRoot, reservedName, changedMeanwhile, misuse
            case input, output, file, cancelled
        }
        private let value: Value

        /// The bytes are no tar archive, or contradict themselves.
        public static let malformed = Code(value: .malformed)
        /// The archive ends before it is complete.
        public static let truncated = Code(value: .truncated)
        /// The archive is well-formed, and uses what this implementation or the kernel cannot do.
        public static let unsupported = Code(value: .unsupported)
        /// An entry's name, or the name that it links to, leads out of the layer.
        public static let outsideRoot = Code(value: .outsideRoot)
        /// A file has a name that means a deletion in an archive.
        public static let reservedName = Code(value: .reservedName)
        /// A file was changed, replaced or removed while it was read.
        public static let changedMeanwhile = Code(value: .changedMeanwhile)
        /// The caller wrote more or less than an entry's size.
        public static let misuse = Code(value: .misuse)
        /// The archive could not be read; ``LayerArchiveError/errno`` tells why.
        public static let input = Code(value: .input)
        /// The archive could not be written; ``LayerArchiveError/errno`` tells why (`EPIPE`: the reader has gone).
        public static let output = Code(value: .output)
        /// A file of the layer could not be read, made or removed; ``LayerArchiveError/errno`` tells why.
        public static let file = Code(value: .file)
        /// The caller asked to stop.
        public static let cancelled = Code(value: .cancelled)
    }

    /// The kind of the failure.
    public let code: Code
    /// The operation that failed, or the fault of the archive.
    public let reason: String
    /// The bytes of the name of the archive's entry or the layer's file that it happened at.
    public internal(set) var name: [UInt8]?
    /// The byte offset in the archive where that entry begins.
    public internal(set) var offset: Int64?
    /// The kernel's error number.
    public let errno: Errno?

    /// Makes an error.
    public init(
        _ code: Code, _ reason: String, name: [UInt8]? = nil, offset: Int64? = nil, errno: Errno? = nil
    ) {
        self.code = code
        self.reason = reason
        self.name = name
        self.offset = offset
        self.errno = errno
    }
}

extension LayerArchiveError.Code: CustomStringConvertible {
    /// The name of the code.
    public var description: String { value.rawValue }
}

extension LayerArchiveError: CustomStringConvertible {
    /// The operation, the entry, the reason for the failure, and a remedy where one is known.
    public var description: String {
        var text = reason
        if let name { text += " “\(FileName.printable(name))”" }
        if let offset { text += " (entry at byte \(offset) of the archive)" }
        if let errno { text += ": \(errno)" }
        if let advice { text += "; \(advice)" }
        return text
    }

    private var advice: String? {
        switch code {
        case .truncated: "get the archive again: what was unpacked of it is not a whole layer"
        case .reservedName:
            "where it is unpacked, this name would delete another file: rename it, or leave such files out with "
                + "--skip-reserved"
        case .changedMeanwhile: "stop what writes to the layer, or use a snapshot of it"
        case .output where errno == .brokenPipe: "what was to read the archive has ended"
        case .file where errno == .noSpace: "make the layer larger, or the pool, or free space in it"
        case .file where errno == .notPermitted: "this may need the rights of root"
        case .file where errno == .noFunction: "this needs Linux 5.6 or later"
        default: nil
        }
    }
}
