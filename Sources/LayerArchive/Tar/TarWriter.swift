internal import CShims
internal import SystemPackage

/// Writes a tar archive as a stream, in constant memory: ustar headers, and pax headers for what has no room in them.
public final class TarWriter {
    private static let capacity = 1 << 20
    private static let zeros = [UInt8](repeating: 0, count: 1 << 16)

    private let output: any ArchiveOutput
    private let cancellation: Cancellation
    private var buffer: [UInt8] = []
    private var flushed: Int64 = 0
    /// How many bytes of the entry's contents are still to come, and of filling after them.
    private var remaining: Int64 = 0
    private var filling = 0
    private var name: [UInt8] = []

    /// Prepares to write to where `output` is.
    public init(_ output: any ArchiveOutput, cancellation: Cancellation = .never) {
        self.output = output
        self.cancellation = cancellation
        buffer.reserveCapacity(Self.capacity)
        // With more room in the pipe, reader and writer wait less for each other. The call fails for other files.
        if let descriptor = output as? FileDescriptor {
            _ = dmshim_set_pipe_size(descriptor.rawValue, CInt(Self.capacity))
        }
    }

    /// How many bytes the archive has until here.
    public var offset: Int64 { flushed + Int64(buffer.count) }

    /// Writes the headers of an entry; its contents must follow: for a file, the bytes of its data, without holes.
    ///
    /// A directory gets a slash at the end of its name, if it has none.
    public func append(_ entry: TarEntry) throws(LayerArchiveError) {
        try finishEntry()
        name = entry.path
        guard !name.isEmpty, !name.contains(0), entry.size >= 0,
            entry.dataRanges?.allSatisfy({ $0.lowerBound >= 0 }) ?? true,
            // GNU tar reads each range in whole blocks, others do not.
            entry.dataRanges?.dropLast().allSatisfy({ $0.count.isMultiple(of: TarBlock.size) }) ?? true,
            TarBlock.fits(Int64(entry.deviceMajor), in: .deviceMajor),
            TarBlock.fits(Int64(entry.deviceMinor), in: .deviceMinor)
        else {
            throw LayerArchiveError(.misuse, "the archive cannot hold the entry", name: name)
        }
        var path = entry.path
        if entry.kind == .directory, path.last != UInt8(ascii: "/") { path.append(UInt8(ascii: "/")) }
        var records = PaxRecords()
        var map: [UInt8] = []
        var stored = entry.kind == .file ? entry.size : 0
        if let ranges = entry.dataRanges, entry.kind == .file {
            let pairs = ranges.flatMap { [$0.lowerBound, $0.upperBound - $0.lowerBound] }
            map = SparseMap.encoded(ranges, size: entry.size)
            stored = try SparseMap(pairs: pairs, size: entry.size).storedSize + Int64(map.count)
            records.append("GNU.sparse.major", Array("1".utf8))
            records.append("GNU.sparse.minor", Array("0".utf8))
            records.append("GNU.sparse.name", path)
            records.append("GNU.sparse.realsize", Array("\(entry.size)".utf8))
        }
        let header = header(of: entry, path: path, stored: stored, &records)
        if !records.records.isEmpty { try append(records, for: path) }
        try put(header.bytes)
        try put(map)
        remaining = stored - Int64(map.count)
        filling = Int(-stored & Int64(TarBlock.size - 1))
    }

    /// Writes a piece of the contents of the entry that was appended last.
    public func write(_ bytes: Span<UInt8>) throws(LayerArchiveError) {
        try claim(Int64(bytes.count))
        var rest = 0..<bytes.count
        while !rest.isEmpty {
            try makeRoom()
            let piece = rest.prefix(Self.capacity - buffer.count)
            unsafe bytes.withUnsafeBufferPointer { all in unsafe buffer.append(contentsOf: all[piece]) }
            rest = piece.endIndex..<rest.endIndex
        }
    }

    /// Writes zeros as a piece of the contents of the entry that was appended last.
    package func writeZeros(_ count: Int64) throws(LayerArchiveError) {
        try claim(count)
        var count = count
        while count > 0 {
            let piece = min(count, Int64(Self.zeros.count))
            try put(Self.zeros.prefix(Int(piece)))
            count -= piece
        }
    }

    /// Writes bytes of an open file, from where it is, as a piece of the contents of the entry that was appended last.
    func write(_ count: Int64, from file: FileDescriptor) throws(LayerArchiveError) {
        try claim(count)
        var count = count
        while count > 0 {
            try makeRoom()
            let before = buffer.count
            do {
                let room = Int(min(count, Int64(Self.capacity - before)))
                try buffer.append(addingCapacity: room) { (free) throws(Errno) in try file.read(into: &free) }
            } catch {
                throw LayerArchiveError(.file, "cannot read", name: name, errno: error)
            }
            guard buffer.count > before else {
                throw LayerArchiveError(.changedMeanwhile, "the file was cut off while it was read:", name: name)
            }
            count -= Int64(buffer.count - before)
        }
    }

    /// Writes the mark of the end, and all that was kept back.
    public func finish() throws(LayerArchiveError) {
        try finishEntry()
        try put([UInt8](repeating: 0, count: 2 * TarBlock.size))
        try flush()
    }

    // MARK: Headers

    /// Makes the header block, and the pax records for what does not fit in it.
    private func header(
        of entry: TarEntry, path: [UInt8], stored: Int64, _ records: inout PaxRecords
    ) -> TarBlock {
        var block = TarBlock()
        block.type = entry.kind.type
        for (field, keyword, text) in [
            (TarBlock.Text.name, "path", path), (TarBlock.Text.linkName, "linkpath", entry.linkTarget),
        ] {
            block.setText(field, text)
            guard text.count > field.count || !text.allSatisfy({ $0 < 0x80 }) else { continue }
            // A text that is not UTF-8 has to be announced.
            if String(validating: text, as: UTF8.self) == nil { records.append("hdrcharset", Array("BINARY".utf8)) }
            records.append(keyword, text)
        }
        block.setNumber(.mode, Int64(entry.permissions & 0o7777))
        for (field, keyword, number) in [
            (TarBlock.Number.userID, "uid", Int64(entry.userID)), (.groupID, "gid", Int64(entry.groupID)),
            (.size, "size", stored),
        ] {
            block.setNumber(field, number)
            if !TarBlock.fits(number, in: field) { records.append(keyword, Array("\(number)".utf8)) }
        }
        let time = entry.modificationTime
        block.setNumber(.modificationTime, time.seconds)
        if time.nanoseconds != 0 || !TarBlock.fits(time.seconds, in: .modificationTime) {
            records.append("mtime", time)
        }
        block.setNumber(.deviceMajor, Int64(entry.deviceMajor))
        block.setNumber(.deviceMinor, Int64(entry.deviceMinor))
        for attribute in entry.attributes { records.append(attribute) }
        block.seal()
        return block
    }

    /// Writes a pax header, an entry of its own before the one that it is about.
    private func append(_ records: PaxRecords, for path: [UInt8]) throws(LayerArchiveError) {
        let contents = records.encoded
        let end = path.suffix(64)
        var block = TarBlock()
        block.type = UInt8(ascii: "x")
        block.setText(TarBlock.Text.name, Array("PaxHeaders.0/".utf8) + end.filter { $0 < 0x80 })
        block.setNumber(.mode, 0o644)
        block.setNumber(.userID, 0)
        block.setNumber(.groupID, 0)
        block.setNumber(.size, Int64(contents.count))
        block.setNumber(.modificationTime, 0)
        block.seal()
        try put(block.bytes)
        try put(contents)
        try put([UInt8](repeating: 0, count: -contents.count & (TarBlock.size - 1)))
    }

    // MARK: Output

    private func claim(_ count: Int64) throws(LayerArchiveError) {
        guard count <= remaining else {
            throw LayerArchiveError(.misuse, "more was written than the size says:", name: name)
        }
        remaining -= count
    }

    private func finishEntry() throws(LayerArchiveError) {
        guard remaining == 0 else {
            throw LayerArchiveError(.misuse, "\(remaining) bytes are missing in the contents:", name: name)
        }
        try put([UInt8](repeating: 0, count: filling))
        filling = 0
    }

    private func put(_ bytes: some Collection<UInt8>) throws(LayerArchiveError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            try makeRoom()
            let piece = rest.prefix(Self.capacity - buffer.count)
            buffer += piece
            rest = rest[piece.endIndex...]
        }
    }

    private func makeRoom() throws(LayerArchiveError) {
        if buffer.count == Self.capacity { try flush() }
    }

    private func flush() throws(LayerArchiveError) {
        try cancellation.check()
        try Self.write(buffer, to: output)
        flushed += Int64(buffer.count)
        buffer.removeAll(keepingCapacity: true)
    }

    private static func write(_ bytes: [UInt8], to output: any ArchiveOutput) throws(LayerArchiveError) {
        do {
            try output.write(contentsOf: bytes.span)
        } catch {
            throw LayerArchiveError(.output, "cannot write the archive", errno: error)
        }
    }
}

extension TarEntry.Kind {
    /// The letter for it in a header.
    fileprivate var type: UInt8 {
        switch self {
        case .file: UInt8(ascii: "0")
        case .hardLink: UInt8(ascii: "1")
        case .symbolicLink: UInt8(ascii: "2")
        case .characterDevice: UInt8(ascii: "3")
        case .blockDevice: UInt8(ascii: "4")
        case .directory: UInt8(ascii: "5")
        case .fifo: UInt8(ascii: "6")
        }
    }
}
