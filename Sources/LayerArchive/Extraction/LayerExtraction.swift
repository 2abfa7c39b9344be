public import SystemPackage

/// Unpacks a layer archive onto the tree of its parent, by Docker's rules.
///
/// An empty file `.wh.NAME` deletes `NAME`; `.wh..wh..opq` deletes the files that its directory has from the layers
/// below. A file in the way of an entry is removed first; only a directory stays when a directory comes. Owners,
/// permissions, times, extended attributes, device nodes, hard links and holes are restored. Zeros that fill whole
/// 64 KiB of a file become holes, so that they take no space in the pool.
///
/// No entry gets out of the tree: neither by its name, nor by a symbolic link on the way, nor as a hard link.
public struct LayerExtraction: Sendable {
    /// The numbers of bytes and entries of an unpacked archive.
    public struct Summary: Hashable, Sendable {
        /// The size of the layer as Docker counts it: the sum of the sizes in the headers, in bytes.
        public internal(set) var size: Int64 = 0

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(size: Int64 = 0, entries: Int = 0, refusedAttributes: Int = 0, hasEndMark: Bool = true) {
            self.size = size
            self.entries = entries
            self.refusedAttributes = refusedAttributes
            self.hasEndMark = hasEndMark
        }
        /// How many entries there were.
        public internal(set) var entries = 0
        /// How many extended attributes the file system did not take, or does not allow.
        public internal(set) var refusedAttributes = 0
        /// Whether the archive said where it ends; if not, nothing tells whether entries are missing at its end.
        public internal(set) var hasEndMark = true
    }

    /// Asked before each entry and for each mebibyte.
    public var cancellation: Cancellation
    /// How many bytes of memory may be taken by what has to be known of an archive until its end: owners, times and
    /// attributes of directories, and which files it brought.
    public var memoryLimit = 256 << 20

    /// Makes the settings of an extraction.
    public init(cancellation: Cancellation = .never) {
        self.cancellation = cancellation
    }

    /// Unpacks an archive; then its input is read to the end.
    ///
    /// - Parameters:
    ///   - input: Where the archive comes from.
    ///   - root: As of ``extract(_:into:)-(TarReader,_)``.
    @discardableResult
    public func extract(
        _ input: any ArchiveInput, into root: FileDescriptor
    ) throws(LayerArchiveError) -> Summary {
        try extract(TarReader(input, cancellation: cancellation), into: root)
    }

    /// Unpacks the archive of a reader that is at its beginning; then its input is read to the end.
    ///
    /// It does not wait until the files are on the disk; the caller has to flush them. After an error, part of the
    /// layer is there.
    ///
    /// - Parameters:
    ///   - reader: The reader, with the same cancellation.
    ///   - root: The root directory of the layer.
    /// - Throws: ``LayerArchiveError`` with the name of the entry and its offset in the archive;
    ///   ``LayerArchiveError/Code/unsupported`` where the archive takes more memory than ``memoryLimit``.
    @discardableResult
    public func extract(_ reader: TarReader, into root: FileDescriptor) throws(LayerArchiveError) -> Summary {
        var unpacking = Unpacking(into: root, memoryLimit: memoryLimit)
        do throws(LayerArchiveError) {
            while let entry = try reader.next() {
                do throws(LayerArchiveError) {
                    try unpacking.unpack(entry, from: reader)
                } catch {
                    var error = error
                    if error.code != .cancelled {
                        error.name = entry.path
                        error.offset = entry.offset
                    }
                    throw error
                }
            }
            try unpacking.finishDirectories()
        } catch {
            // The first error is the one to tell.
            try? unpacking.removeLinkDirectory()
            throw error
        }
        try unpacking.removeLinkDirectory()
        try reader.drain()
        var summary = unpacking.summary
        summary.hasEndMark = reader.hasEndMark
        return summary
    }
}
