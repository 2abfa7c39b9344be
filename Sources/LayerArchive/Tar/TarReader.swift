/// Reads a tar archive as a stream, in constant memory: ustar, pax, GNU and star headers, sparse files in all forms.
///
/// Archives are not trusted. For any bytes, the reader returns entries or throws.
public final class TarReader {
    private var buffer: InputBuffer
    private let cancellation: Cancellation
    /// The recorder that gets each byte of the archive.
    private let recorder: (any ArchiveRecorder)?
    /// The pax records that hold for all entries that follow.
    private var globalRecords = GlobalRecords()
    /// The entry that was returned last.
    private var entry: TarEntry?
    /// How many bytes of its contents, and of filling after them, are still in the input.
    private var remaining: Int64 = 0
    private var filling = 0
    private var hasEnded = false
    /// Whether the archive has the mark that says where it ends; known when ``next()`` has returned `nil`.
    ///
    /// Without it, nothing tells whether the archive was cut off between two entries. Go's `archive/tar`, and so Docker and
    /// containerd, and GNU tar take such an archive.
    public private(set) var hasEndMark = false

    /// Prepares to read from the position where `input` is.
    ///
    /// - Parameters:
    ///   - input: Where the archive comes from.
    ///   - cancellation: Asked before each entry and for each mebibyte.
    ///   - recorder: Is told of all bytes of the archive, in their order.
    public init(
        _ input: any ArchiveInput, cancellation: Cancellation = .never, recorder: (any ArchiveRecorder)? = nil
    ) {
        buffer = InputBuffer(input)
        self.cancellation = cancellation
        self.recorder = recorder
    }

    /// The byte offset in the archive of what is read next: behind ``next()``, of the entry's contents.
    public var position: Int64 { buffer.offset }

    /// Waits until the input has something to read, or has ended.
    public func waitForInput() throws(LayerArchiveError) {
        _ = try buffer.fill(1)
    }

    /// Goes to the next entry, passing over what was not read of the last one's contents.
    ///
    /// - Returns: `nil` at the mark that ends the archive, or where the input ends after a whole entry; see
    ///   ``hasEndMark``.
    /// - Throws: ``LayerArchiveError/Code/malformed``, ``LayerArchiveError/Code/unsupported``, or
    ///   ``LayerArchiveError/Code/truncated`` when the input is empty or ends within an entry.
    public func next() throws(LayerArchiveError) -> TarEntry? {
        guard !hasEnded else { return nil }
        try skipContents()
        guard try !hasEndedWithoutMark() else { return nil }
        var header = TarHeader(globalRecords: globalRecords.records, offset: buffer.offset)
        entry = nil
        do {
            while entry == nil {
                try cancellation.check()
                let block = try readBlock()
                if block.isZero {
                    try end(after: header)
                    return nil
                }
                try read(block, into: &header)
            }
        } catch {
            var error = error
            if error.code != .cancelled {
                error.offset = header.offset
                error.name = error.name ?? header.name
            }
            throw error
        }
        return entry
    }

    /// Reads the contents of the entry that ``next()`` returned, and calls `body` with one piece after the other.
    ///
    /// Holes are passed over: the pieces come with their offsets in the file, ascending. A piece is at most 1 MiB, and
    /// ends at a multiple of 64 KiB of the file, but where data ends.
    public func readContents(
        _ body: (_ offset: Int64, _ bytes: Span<UInt8>) throws(LayerArchiveError) -> Void
    ) throws(LayerArchiveError) {
        guard let entry, entry.kind == .file else { return }
        for range in entry.dataRanges ?? [0..<entry.size] {
            var offset = range.lowerBound
            while offset < range.upperBound, remaining > 0 {
                try cancellation.check()
                let count = try fillPiece(at: offset, upTo: min(range.upperBound - offset, remaining))
                try buffer.withPrefix(count) { (bytes) throws(LayerArchiveError) in try body(offset, bytes) }
                try consume(count, as: entry)
                remaining -= Int64(count)
                offset += Int64(count)
            }
        }
    }

    /// Reads the rest of the input and drops it, so that its writer is not stopped while it fills up the archive.
    public func drain() throws(LayerArchiveError) {
        hasEnded = true
        while try buffer.fill(1) {
            try cancellation.check()
            try consume(buffer.count)
        }
    }

    /// Goes on by bytes that were used, and tells the recorder of them.
    ///
    /// - Parameter entry: The entry whose contents they are.
    private func consume(_ count: Int, as entry: TarEntry? = nil) throws(LayerArchiveError) {
        if let recorder {
            try buffer.withPrefix(count) { (bytes) throws(LayerArchiveError) in
                if let entry { try recorder.record(contents: bytes, of: entry) } else { try recorder.record(bytes) }
            }
        }
        buffer.consume(count)
    }

    // MARK: Contents

    /// Has bytes ready, up to the last multiple of 64 KiB if there is one within them.
    private func fillPiece(at offset: Int64, upTo rest: Int64) throws(LayerArchiveError) -> Int {
        let alignment: Int64 = 1 << 16
        let toBoundary = Int(min(rest, alignment - offset % alignment))
        guard try buffer.fill(toBoundary) else { throw truncation("within the contents of") }
        let available = Int(min(rest, Int64(buffer.count)))
        return available - max(0, available - toBoundary) % Int(alignment)
    }

    private func skipContents() throws(LayerArchiveError) {
        // A recorder has to see all bytes.
        if recorder == nil { remaining -= try buffer.skip(remaining) }
        while remaining > 0 {
            try cancellation.check()
            guard try buffer.fill(1) else { throw truncation("within the contents of") }
            let count = Int(min(remaining, Int64(buffer.count)))
            try consume(count)
            remaining -= Int64(count)
        }
        // Where the input ends within what only fills up the block, the contents are whole.
        _ = try buffer.fill(filling)
        try consume(min(filling, buffer.count))
        filling = 0
    }

    /// Whether the input ends here, between two entries.
    ///
    /// An input without a single byte is no archive: it mostly comes from a program that has failed.
    private func hasEndedWithoutMark() throws(LayerArchiveError) -> Bool {
        guard try !buffer.fill(1) else { return false }
        guard buffer.offset > 0 else {
            throw LayerArchiveError(.truncated, "there is no archive: the input has no bytes")
        }
        entry = nil
        hasEnded = true
        return true
    }

    private func truncation(_ place: String) -> LayerArchiveError {
        LayerArchiveError(.truncated, "the archive ends \(place)", name: entry?.path, offset: entry?.offset)
    }

    // MARK: Headers

    /// Takes a block of a header: when it is the last one of the entry, the entry is there.
    private func read(_ block: TarBlock, into header: inout TarHeader) throws(LayerArchiveError) {
        if buffer.offset == Int64(TarBlock.size), let program = block.compressionProgram {
            throw LayerArchiveError(
                .malformed, "the archive is compressed; decompress it on the way, as with “\(program) -dc FILE | …”")
        }
        guard try block.hasValidChecksum() else {
            throw LayerArchiveError(.malformed, "the checksum of a header is wrong")
        }
        let size = try block.number(.size)
        guard size >= 0 else { throw LayerArchiveError(.malformed, "the size is negative") }
        switch block.type {
        // Solaris has its own letter for the same.
        case UInt8(ascii: "x"), UInt8(ascii: "X"):
            let records = try PaxRecords(parsing: readPayload(size, of: &header))
            header.records = globalRecords.records.overridden(by: records)
        case UInt8(ascii: "g"):
            try globalRecords.merge(PaxRecords(parsing: readPayload(size, of: &header)))
            header = TarHeader(globalRecords: globalRecords.records, offset: header.offset)
        case UInt8(ascii: "L"):
            header.longName = try Array(readPayload(size, of: &header).prefix { $0 != 0 })
        case UInt8(ascii: "K"):
            header.longLinkName = try Array(readPayload(size, of: &header).prefix { $0 != 0 })
        // The name of a tape.
        case UInt8(ascii: "V"):
            _ = try readPayload(size, of: &header)
        default:
            try begin(try header.entry(block), block, &header)
        }
    }

    /// Reads what follows the last header of an entry, and says how large its contents are in the archive.
    private func begin(
        _ new: TarEntry, _ block: TarBlock, _ header: inout TarHeader
    ) throws(LayerArchiveError) {
        var new = new
        var stored = new.kind == .file ? try header.storedSize(block) : 0
        remaining = stored
        var map: SparseMap?
        switch try header.sparseFormat(block) {
        case .none: break
        case .oldGNU:
            var pairs = try SparseMap.pairs(in: block, at: 386, count: 4)
            var isContinued = block.bytes[482] != 0
            var read: Int64 = 0
            while isContinued {
                read += Int64(TarBlock.size)
                // Each has 21 ranges.
                guard read <= Int64(SparseMap.mostRanges / 21 * TarBlock.size) else { throw SparseMap.tooManyRanges }
                let continuation = try readBlock()
                pairs += try SparseMap.pairs(in: continuation, at: 0, count: 21)
                isContinued = continuation.bytes[504] != 0
            }
            map = try SparseMap(pairs: pairs, size: new.size)
        case .records(let pairs):
            map = try SparseMap(pairs: pairs, size: new.size)
        case .beforeData:
            map = try SparseMap(pairs: readMapBeforeData(), size: new.size)
            stored = remaining
        }
        if let map {
            guard map.storedSize == stored else {
                throw LayerArchiveError(.malformed, "the map of the holes does not fit the size of the data")
            }
            new.dataRanges = map.dataRanges
        }
        remaining = stored
        filling = Int(-stored & Int64(TarBlock.size - 1))
        entry = new
    }

    /// Reads the map of pax format 1.0: lines of numbers at the beginning of the data, in whole blocks.
    private func readMapBeforeData() throws(LayerArchiveError) -> [Int64] {
        var numbers: [Int64] = []
        var digits: [UInt8] = []
        var expected: Int64 = 1
        var read: Int64 = 0
        while Int64(numbers.count) < expected {
            guard remaining >= Int64(TarBlock.size), read < TarHeader.mostBytes else {
                throw LayerArchiveError(.malformed, "the map of the holes does not end within the data")
            }
            let block = try readBlock()
            read += Int64(TarBlock.size)
            remaining -= Int64(TarBlock.size)
            for byte in block.bytes where Int64(numbers.count) < expected {
                guard byte == UInt8(ascii: "\n") else {
                    guard digits.count < 20 else {
                        throw LayerArchiveError(.malformed, "the map of the holes has a number that is too long")
                    }
                    digits.append(byte)
                    continue
                }
                guard let number = PaxRecords.number(digits[...]) else {
                    throw LayerArchiveError(.malformed, "the map of the holes has something else than numbers")
                }
                digits = []
                numbers.append(number)
                guard numbers.count == 1 else { continue }
                // The first number says how many pairs follow.
                guard number <= Int64(SparseMap.mostRanges) + 1 else { throw SparseMap.tooManyRanges }
                expected = number * 2 + 1
            }
        }
        return Array(numbers.dropFirst())
    }

    private func readBlock() throws(LayerArchiveError) -> TarBlock {
        guard try buffer.fill(TarBlock.size) else {
            throw LayerArchiveError(.truncated, "the archive ends within a header")
        }
        let block = buffer.withPrefix(TarBlock.size) { TarBlock($0) }
        try consume(TarBlock.size)
        return block
    }

    /// Reads the contents of an extended header.
    private func readPayload(_ size: Int64, of header: inout TarHeader) throws(LayerArchiveError) -> [UInt8] {
        try header.claim(size)
        var payload: [UInt8] = []
        // Whole blocks are read, as they are there.
        let blocks = (Int(size) + TarBlock.size - 1) / TarBlock.size
        for _ in 0..<blocks { payload += try readBlock().bytes }
        return Array(payload.prefix(Int(size)))
    }

    /// Checks the second of the two blocks of zeros that mark the end; some programs write only one.
    private func end(after header: TarHeader) throws(LayerArchiveError) {
        guard !header.isStarted else {
            throw LayerArchiveError(.malformed, "the archive ends after an extended header")
        }
        hasEnded = true
        hasEndMark = true
        guard try buffer.fill(TarBlock.size) else { return }
        guard try readBlock().isZero else {
            throw LayerArchiveError(.malformed, "a single block of zeros is followed by something else")
        }
    }
}
