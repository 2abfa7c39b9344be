/// The headers before an entry, as far as they were read: its extended header and its long names.
struct TarHeader {
    /// How the map of a sparse file is stored.
    enum SparseFormat {
        case none
        /// In the header and blocks that follow it.
        case oldGNU
        /// In the pax header, as pairs of offset and length.
        case records([Int64])
        /// At the beginning of the data.
        case beforeData
    }

    /// The longest name or target of a link that is taken, in bytes.
    ///
    /// Linux takes 4095 bytes in one piece, and a tree can be deeper.
    static let longestName = 1 << 20
    /// The most bytes of extended headers and long names that one entry can have; more are an attack.
    static let mostBytes: Int64 = 16 << 20

    /// The pax records that hold for the entry.
    var records: PaxRecords
    /// A name from a GNU header of its own.
    var longName: [UInt8]?
    /// A link's target from a GNU header of its own.
    var longLinkName: [UInt8]?
    /// Where in the archive the first header begins.
    let offset: Int64
    /// The name, once it is known.
    private(set) var name: [UInt8]?
    private let globalCount: Int
    /// How many bytes the extended headers and long names had until here.
    private var bytes: Int64 = 0

    init(globalRecords: PaxRecords, offset: Int64) {
        records = globalRecords
        globalCount = globalRecords.records.count
        self.offset = offset
    }

    /// Whether something was said about an entry that is still to come.
    var isStarted: Bool { longName != nil || longLinkName != nil || records.records.count > globalCount }

    /// Counts what another header of the entry takes, before it is read.
    mutating func claim(_ size: Int64) throws(LayerArchiveError) {
        guard size <= Self.mostBytes - bytes else {
            throw LayerArchiveError(
                .unsupported,
                "the extended headers of one entry have more than \(Self.mostBytes >> 20) MiB, which nothing needs")
        }
        bytes += size
    }

    /// Makes the entry of a header block.
    mutating func entry(_ block: TarBlock) throws(LayerArchiveError) -> TarEntry {
        let path = try path(block)
        guard path.count <= Self.longestName else {
            throw LayerArchiveError(.unsupported, "a name has \(path.count) bytes; \(Self.longestName) can be unpacked")
        }
        name = path
        var entry = try TarEntry(path: path, kind: kind(block), permissions: UInt32(block.number(.mode) & 0o7777))
        entry.offset = offset
        entry.size = try size(block)
        entry.userID = try identifier(block, .userID, "uid")
        entry.groupID = try identifier(block, .groupID, "gid")
        let seconds = try block.number(.modificationTime)
        entry.modificationTime = try records.time("mtime") ?? Timestamp(seconds: seconds)
        if entry.kind == .hardLink || entry.kind == .symbolicLink {
            entry.linkTarget = try records.path("linkpath") ?? longLinkName ?? block.text(TarBlock.Text.linkName)
            guard entry.linkTarget.count <= Self.longestName else {
                throw LayerArchiveError(
                    .unsupported,
                    "the target of a link has \(entry.linkTarget.count) bytes; \(Self.longestName) can be unpacked")
            }
        }
        if block.dialect != .v7, entry.kind == .characterDevice || entry.kind == .blockDevice {
            // The largest numbers that Linux has.
            entry.deviceMajor = try number(block, .deviceMajor, below: 1 << 12)
            entry.deviceMinor = try number(block, .deviceMinor, below: 1 << 20)
        }
        entry.attributes = try records.attributes()
        return entry
    }

    /// The size of the contents as they are in the archive.
    func storedSize(_ block: TarBlock) throws(LayerArchiveError) -> Int64 {
        if let size = try records.number("size") { return size }
        return try block.number(.size)
    }

    /// The size of the contents with their holes.
    private func size(_ block: TarBlock) throws(LayerArchiveError) -> Int64 {
        if block.type == UInt8(ascii: "S") {
            let size = try block.number(483..<495, "size with holes")
            guard size >= 0 else { throw LayerArchiveError(.malformed, "the size with holes is negative") }
            return size
        }
        // The first is of format 1.0, the second of 0.0 and 0.1.
        if let size = try records.number("GNU.sparse.realsize") { return size }
        if let size = try records.number("GNU.sparse.size") { return size }
        return try storedSize(block)
    }

    /// How the map of the holes is stored, if the file has holes.
    func sparseFormat(_ block: TarBlock) throws(LayerArchiveError) -> SparseFormat {
        if block.type == UInt8(ascii: "S") { return .oldGNU }
        guard try kind(block) == .file else { return .none }
        if let major = try records.number("GNU.sparse.major"), let minor = try records.number("GNU.sparse.minor") {
            switch (major, minor) {
            case (1, 0): return .beforeData
            case (0, 0), (0, 1): break
            default: throw LayerArchiveError(.unsupported, "version \(major).\(minor) of sparse files is not known")
            }
        }
        guard let pairs = try SparseMap.pairs(in: records) else { return .none }
        return .records(pairs)
    }

    private func path(_ block: TarBlock) throws(LayerArchiveError) -> [UInt8] {
        // Of a sparse file, `path` is a made-up name for programs that do not know about holes.
        if let path = try records.path("GNU.sparse.name") { return path }
        if let path = try records.path("path") { return path }
        if let longName { return longName }
        let name = block.text(TarBlock.Text.name)
        let prefix: [UInt8] =
            switch block.dialect {
            case .ustar: block.text(TarBlock.Text.prefix)
            case .star: block.text(TarBlock.Text.starPrefix)
            case .v7, .gnu: []
            }
        return prefix.isEmpty ? name : prefix + [UInt8(ascii: "/")] + name
    }

    private func kind(_ block: TarBlock) throws(LayerArchiveError) -> TarEntry.Kind {
        switch block.type {
        case 0:
            // Before there was a type for them, directories were files with a slash at the end.
            try path(block).last == UInt8(ascii: "/") ? .directory : .file
        case UInt8(ascii: "0"), UInt8(ascii: "7"): .file
        case UInt8(ascii: "S") where block.dialect == .gnu: .file
        case UInt8(ascii: "1"): .hardLink
        case UInt8(ascii: "2"): .symbolicLink
        case UInt8(ascii: "3"): .characterDevice
        case UInt8(ascii: "4"): .blockDevice
        case UInt8(ascii: "5"): .directory
        case UInt8(ascii: "6"): .fifo
        case let type:
            throw LayerArchiveError(
                .unsupported, "an entry of type “\(FileName.printable([type]))” cannot be unpacked")
        }
    }

    private func identifier(
        _ block: TarBlock, _ field: TarBlock.Number, _ keyword: String
    ) throws(LayerArchiveError) -> UInt32 {
        let inBlock = try block.number(field)
        let number = try records.number(keyword) ?? inBlock
        // The highest number means “none” to the kernel.
        guard let identifier = UInt32(exactly: number), identifier != .max else {
            throw LayerArchiveError(.malformed, "the \(field.rawValue) \(number) is none")
        }
        return identifier
    }

    private func number(
        _ block: TarBlock, _ field: TarBlock.Number, below limit: Int64
    ) throws(LayerArchiveError) -> UInt32 {
        let number = try block.number(field)
        guard (0..<limit).contains(number) else {
            throw LayerArchiveError(.unsupported, "the \(field.rawValue) number \(number) is none that Linux has")
        }
        return UInt32(number)
    }
}
