/// Is told of all bytes of an archive that a ``TarReader`` reads, each one once and in their order.
///
/// With the bytes that are no contents, and the contents in the files, the archive can be written again as it was.
public protocol ArchiveRecorder {
    /// Takes bytes that are no contents: headers, what fills up a block, the end; and contents that nobody has asked for.
    func record(_ bytes: Span<UInt8>) throws(LayerArchiveError)

    /// Takes a piece of the contents that the caller of ``TarReader/readContents(_:)`` got.
    ///
    /// A file with holes has ``TarEntry/dataRanges``; its pieces are the data between the holes.
    func record(contents: Span<UInt8>, of entry: TarEntry) throws(LayerArchiveError)
}
