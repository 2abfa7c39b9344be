public import SystemPackage

/// The log that the kernel's `log-writes` target has kept of a disk.
///
/// The format is that of `Documentation/admin-guide/device-mapper/log-writes.rst`. A write is logged when the flush behind
/// it has completed, so that what lies between two flushes in the log is what a disk's cache may have held.
public struct WriteLog {
    /// One entry.
    public struct Entry {
        /// Where on the disk, in bytes.
        public let offset: Int64
        /// Where in the log its data begins.
        let dataOffset: Int64
        /// The length of its data in bytes.
        public let length: Int
        /// Whether everything that completed before it is on the medium.
        public let isFlush: Bool
        /// Whether its data was on the medium when it completed.
        public let isForced: Bool
        /// The mark that the program has set here; `nil` for an entry that is none.
        public let mark: String?
    }

    /// A file that is no whole log.
    public struct Failure: Error, CustomStringConvertible {
        /// The fault of the log.
        public let description: String
    }

    private static let magic: UInt64 = 0x6a_7366_7773_6872
    private static let flagFlush: UInt64 = 1
    private static let flagForced: UInt64 = 2
    private static let flagDiscard: UInt64 = 4
    private static let flagMark: UInt64 = 8

    private let file: FileDescriptor
    /// The entries, in the order in which they were written.
    public let entries: [Entry]

    /// Reads a log.
    ///
    /// - Throws: ``Failure`` for something else, and for a log that ends early.
    public init(_ path: FilePath) throws {
        file = try FileDescriptor.open(path, .readOnly, options: .closeOnExec)
        let header = try Self.read(28, at: 0, file)
        guard Self.number(header, 0, 8) == Self.magic, Self.number(header, 8, 8) == 1 else {
            throw Failure(description: "\(path) is no log of the log-writes target")
        }
        let sectorSize = Int64(Self.number(header, 24, 4))
        var entries: [Entry] = []
        var position = sectorSize
        for _ in 0..<Self.number(header, 16, 8) {
            let fields = try Self.read(32, at: position, file)
            let flags = Self.number(fields, 16, 8)
            let length =
                flags & (Self.flagDiscard | Self.flagMark) == 0
                ? Int64(Self.number(fields, 8, 8)) * sectorSize : 0
            var mark: String?
            if flags & Self.flagMark != 0 {
                let text = try Self.read(Int(Self.number(fields, 24, 8)), at: position + 32, file)
                mark = String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
            }
            entries.append(
                Entry(
                    offset: Int64(Self.number(fields, 0, 8)) * sectorSize, dataOffset: position + sectorSize,
                    length: Int(length), isFlush: flags & Self.flagFlush != 0,
                    isForced: flags & Self.flagForced != 0, mark: mark))
            position += sectorSize + length
        }
        self.entries = entries
    }

    /// Reads the data of an entry.
    public func data(of entry: Entry) throws -> [UInt8] {
        try Self.read(entry.length, at: entry.dataOffset, file)
    }

    private static func read(_ count: Int, at offset: Int64, _ file: FileDescriptor) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let found = try unsafe bytes.withUnsafeMutableBytes {
            unsafe try file.read(fromAbsoluteOffset: offset, into: $0)
        }
        guard found == count else { throw Failure(description: "the log of the writes ends early, at \(offset)") }
        return bytes
    }

    private static func number(_ bytes: [UInt8], _ offset: Int, _ width: Int) -> UInt64 {
        bytes[offset..<offset + width].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}
