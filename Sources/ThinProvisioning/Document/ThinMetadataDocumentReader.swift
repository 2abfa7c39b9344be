public import SystemPackage

/// Reads the XML that `thin_dump` and `dmlayer metadata dump` write, and hands what it describes to a visitor.
///
/// It reads this document only, in the forms of thin-provisioning-tools 0.9 and 1.1, and needs no more memory for a long one
/// than for a short one, except for the names of shared parts.
public struct ThinMetadataDocumentReader {
    /// Metadata cannot have more shared parts than blocks.
    private static let mostParts = 4_161_600

    /// Fields of the pool that replace those of the document.
    public struct Overrides: Hashable, Sendable {
        /// The pool's transaction id.
        public var transactionID: UInt64?
        /// The length of a block of the pool in sectors of 512 bytes.
        public var blockSectors: UInt32?
        /// The number of blocks of the data device.
        public var dataBlocks: UInt64?

        /// Replaces nothing that is `nil`.
        public init(transactionID: UInt64? = nil, blockSectors: UInt32? = nil, dataBlocks: UInt64? = nil) {
            self.transactionID = transactionID
            self.blockSectors = blockSectors
            self.dataBlocks = dataBlocks
        }
    }

    private enum Place { case before, pool, device, shared, behind }

    private var bytes: DocumentBytes
    private let overrides: Overrides
    private var place = Place.before
    private var parts: [String: UInt64] = [:]

    /// Takes an open document.
    public init(_ descriptor: FileDescriptor, overrides: Overrides = Overrides()) {
        bytes = DocumentBytes(descriptor)
        self.overrides = overrides
    }

    /// Takes a document that is in memory.
    public init(_ document: [UInt8], overrides: Overrides = Overrides()) {
        bytes = DocumentBytes(document)
        self.overrides = overrides
    }

    /// Reads the document to its end.
    ///
    /// - Throws: ``ThinMetadataDocumentError``, with the visitor's error in it where that refused something.
    public mutating func read(into visitor: inout some ThinMetadataVisitor) throws(ThinMetadataDocumentError) {
        do {
            while try readNext(&visitor) {}
        } catch let error as ThinMetadataDocumentError {
            throw error
        } catch {
            throw ThinMetadataDocumentError(line: bytes.line, "\(error)", underlying: error)
        }
    }

    /// Reads a tag.
    ///
    /// - Returns: Whether there was one.
    private mutating func readNext(_ visitor: inout some ThinMetadataVisitor) throws -> Bool {
        bytes.skipSpace()
        try bytes.fill()
        bytes.skipSpace()
        guard bytes.next != nil else {
            if place == .behind { return false }
            throw refuse("incomplete source metadata: the document ends too early")
        }
        guard bytes.skip(over: "<") else { throw refuse("text stands where a tag must be") }
        if place == .device || place == .shared, let run = plainMapping() {
            try visitor.map(run)
        } else if bytes.skip(over: "!--") {
            try skip(to: "-->")
        } else if place == .before, bytes.skip(over: "?") {
            try skip(to: "?>")
        } else {
            try take(DocumentTag(&bytes), &visitor)
        }
        return true
    }

    private func refuse(_ detail: String) -> ThinMetadataDocumentError {
        ThinMetadataDocumentError(line: bytes.line, detail)
    }

    private mutating func skip(to end: StaticString) throws {
        while !bytes.skip(over: end) {
            try bytes.fill()
            guard bytes.next != nil else { throw refuse("a comment does not end") }
            bytes.skip()
        }
    }

    /// Reads a mapping in the form in which the programs write it: nearly all of a document is made of these.
    private mutating func plainMapping() -> ThinMapping? {
        let mark = bytes.mark
        if let run = bytes.skip(over: "single_mapping origin_block=\"") ? singleMapping() : nil { return run }
        bytes.mark = mark
        if let run = bytes.skip(over: "range_mapping origin_begin=\"") ? rangeMapping() : nil { return run }
        bytes.mark = mark
        return nil
    }

    private mutating func singleMapping() -> ThinMapping? {
        guard let thin = bytes.number(), bytes.skip(over: "\" data_block=\""), let data = bytes.number(),
            bytes.skip(over: "\" time=\""), let time = bytes.number().flatMap({ UInt32(exactly: $0) }),
            bytes.skip(over: "\"/>"), thin < .max
        else { return nil }
        return ThinMapping(thinBlocks: thin..<thin + 1, dataBlock: data, time: time)
    }

    private mutating func rangeMapping() -> ThinMapping? {
        guard let thin = bytes.number(), bytes.skip(over: "\" data_begin=\""), let data = bytes.number(),
            bytes.skip(over: "\" length=\""), let length = bytes.number(),
            bytes.skip(over: "\" time=\""), let time = bytes.number().flatMap({ UInt32(exactly: $0) }),
            bytes.skip(over: "\"/>"), case let (end, overflow) = thin.addingReportingOverflow(length), !overflow
        else { return nil }
        return ThinMapping(thinBlocks: thin..<end, dataBlock: data, time: time)
    }

    private mutating func take(_ tag: DocumentTag, _ visitor: inout some ThinMetadataVisitor) throws {
        switch (place, tag.kind, tag.name) {
        case (.before, .start, "superblock"):
            try visitor.begin(header(tag))
            place = .pool
        case (.pool, .end, "superblock"):
            try visitor.end()
            place = .behind
        case (.pool, .start, "def"), (.pool, .empty, "def"):
            try visitor.beginShared(define(tag))
            place = .shared
            if tag.kind == .empty { try endSection(&visitor) }
        case (.pool, .start, "device"), (.pool, .empty, "device"):
            try visitor.beginDevice(device(tag))
            place = .device
            if tag.kind == .empty { try endSection(&visitor) }
        case (.shared, .end, "def"), (.device, .end, "device"):
            try endSection(&visitor)
        case (.device, .empty, "ref"), (.shared, .empty, "ref"):
            try tag.requireOnly(["name"])
            let name = try tag.text("name")
            guard let number = parts[name] else { throw refuse("Couldn't find sub tree '\(name.prefix(40))'.") }
            try visitor.reference(to: number)
        case (.device, .empty, "single_mapping"), (.shared, .empty, "single_mapping"):
            try visitor.map(single(tag))
        case (.device, .empty, "range_mapping"), (.shared, .empty, "range_mapping"):
            try visitor.map(range(tag))
        default:
            throw refuse("the tag “\(tag.name)” cannot stand here")
        }
    }

    private mutating func endSection(_ visitor: inout some ThinMetadataVisitor) throws {
        if place == .shared { try visitor.endShared() } else { try visitor.endDevice() }
        place = .pool
    }

    private mutating func define(_ tag: DocumentTag) throws -> UInt64 {
        try tag.requireOnly(["name"])
        let name = try tag.text("name")
        guard parts[name] == nil else { throw refuse("the sub tree '\(name.prefix(40))' is defined twice") }
        guard parts.count < Self.mostParts, name.utf8.count <= 256 else {
            throw refuse("there are more shared parts than metadata can have, or one has too long a name")
        }
        let number = UInt64(parts.count)
        parts[name] = number
        return number
    }

    private func header(_ tag: DocumentTag) throws -> ThinMetadataHeader {
        try tag.requireOnly([
            "uuid", "time", "transaction", "flags", "version", "data_block_size", "nr_data_blocks", "metadata_snap",
        ])
        let uuid = Array(try tag.text("uuid").utf8)
        return ThinMetadataHeader(
            // The programs write nothing there; a text that does not fit in the field is left out.
            uuid: uuid.count > 16
                ? [UInt8](repeating: 0, count: 16) : uuid + Array(repeating: 0, count: 16 - uuid.count),
            time: try tag.number("time"), transactionID: try overrides.transactionID ?? tag.number("transaction"),
            flags: try tag.optionalNumber("flags") ?? 0, version: try tag.optionalNumber("version") ?? 2,
            blockSectors: try overrides.blockSectors ?? tag.number("data_block_size"),
            dataBlocks: try overrides.dataBlocks ?? tag.number("nr_data_blocks"))
    }

    private func device(_ tag: DocumentTag) throws -> ThinDeviceDetails {
        try tag.requireOnly(["dev_id", "mapped_blocks", "transaction", "creation_time", "snap_time"])
        let number: UInt64 = try tag.number("dev_id")
        guard let id = ThinDeviceID(number) else {
            throw refuse("the device number \(number) is larger than \(ThinDeviceID.maximum)")
        }
        return ThinDeviceDetails(
            id: id, mappedBlocks: try tag.number("mapped_blocks"), transactionID: try tag.number("transaction"),
            creationTime: try tag.number("creation_time"), snapshottedTime: try tag.number("snap_time"))
    }

    private func single(_ tag: DocumentTag) throws -> ThinMapping {
        try tag.requireOnly(["origin_block", "data_block", "time"])
        return try run(tag, "origin_block", "data_block", length: 1)
    }

    private func range(_ tag: DocumentTag) throws -> ThinMapping {
        try tag.requireOnly(["origin_begin", "data_begin", "length", "time"])
        return try run(tag, "origin_begin", "data_begin", length: tag.number("length"))
    }

    private func run(_ tag: DocumentTag, _ thin: String, _ data: String, length: UInt64) throws -> ThinMapping {
        let first: UInt64 = try tag.number(thin)
        let (end, overflow) = first.addingReportingOverflow(length)
        guard !overflow else { throw refuse("thin block \(first) and \(length) behind it are too many") }
        return ThinMapping(thinBlocks: first..<end, dataBlock: try tag.number(data), time: try tag.number("time"))
    }
}
