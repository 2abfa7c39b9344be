/// A metadata area on a device: a ring of texts, and the header that says which of them is in force.
struct MetadataArea: Sendable {
    let storage: any PhysicalStorage
    private(set) var header: MetadataAreaHeader

    /// Opens the area that a label names.
    ///
    /// - Throws: ``LogicalVolumeError/Code/damagedMetadata`` when its header cannot be relied on.
    init(_ area: PhysicalVolumeLabel.Area, on storage: any PhysicalStorage) throws {
        self.storage = storage
        header = try MetadataAreaHeader(
            try storage.read(offset: area.offset, count: MetadataAreaHeader.length), of: area)
    }

    /// Makes an empty area.
    init(formatting area: PhysicalVolumeLabel.Area, on storage: any PhysicalStorage) throws {
        self.storage = storage
        header = MetadataAreaHeader(area)
        try write(header)
    }

    /// The text in force, without the zero byte at its end; `nil` when there is none.
    ///
    /// - Throws: ``LogicalVolumeError/Code/damagedMetadata`` when its checksum is wrong.
    func committedText() throws -> [UInt8]? {
        guard let slot = header.committed else { return nil }
        guard slot.length > 1, let length = Int(exactly: slot.length) else { throw damaged("the text is empty") }
        let first = Int(min(slot.length, header.length - slot.offset))
        var text = try storage.read(offset: header.start + slot.offset, count: first)
        if first < length {
            text += try storage.read(
                offset: header.start + UInt64(MetadataAreaHeader.length), count: length - first)
        }
        guard text.count == length, MetadataChecksum.of(text) == slot.checksum else {
            throw damaged("the text's checksum is wrong")
        }
        while text.last == 0 { text.removeLast() }
        return text
    }

    private func damaged(_ what: String) -> LogicalVolumeError {
        LogicalVolumeError(.damagedMetadata, "the metadata area at byte \(header.start) is damaged: \(what)")
    }

    // MARK: The two phases of a commit

    /// Writes a text to where it does not touch the one in force, and notes it as one that is about to be.
    ///
    /// It is durable on return. A loss of power before ``commit()`` leaves the old text in force.
    ///
    /// - Throws: ``LogicalVolumeError/Code/noSpace`` when the ring has no room for it beside the one in force.
    mutating func precommit(_ text: [UInt8]) throws {
        let content = text + [0]
        let offset = try place(for: UInt64(content.count))
        let first = min(content.count, Int(header.length - offset))
        try storage.write(Array(content[..<first]), offset: header.start + offset)
        if first < content.count {
            try storage.write(
                Array(content[first...]), offset: header.start + UInt64(MetadataAreaHeader.length))
        }
        try storage.flush()
        var next = header
        next.precommitted = MetadataAreaHeader.Slot(
            offset: offset, length: UInt64(content.count), checksum: MetadataChecksum.of(content), flags: 0)
        try write(next)
        header = next
    }

    /// Puts the precommitted text in force, durably.
    mutating func commit() throws {
        var next = header
        next.committed = header.precommitted
        next.precommitted = nil
        try write(next)
        header = next
    }

    private func write(_ header: MetadataAreaHeader) throws {
        try storage.write(header.encoded(), offset: header.start)
        try storage.flush()
    }

    /// The next place in the ring: behind the text in force, at a multiple of 512 bytes.
    private func place(for length: UInt64) throws(LogicalVolumeError) -> UInt64 {
        guard length <= header.longestNewText else {
            throw LogicalVolumeError(
                .noSpace,
                "the volume group's text would have \(length) bytes, and its area of \(header.length) bytes takes texts of "
                    + "\(header.longestNewText) at most")
        }
        let beginning = UInt64(MetadataAreaHeader.length)
        let capacity = header.length - beginning
        var offset = beginning
        var room = capacity
        if let old = header.committed {
            let end = old.offset + old.length
            offset = end > header.length ? end - header.length + beginning : end
            offset = (offset + beginning - 1) / beginning * beginning
            if offset >= header.length || header.length - offset < beginning { offset = beginning }
            room = (old.offset + capacity - offset) % capacity
        }
        guard length <= room else {
            throw LogicalVolumeError(
                .noSpace,
                "the volume group's text has \(length) bytes, and beside the present one its area of \(header.length) "
                    + "bytes has room for \(room)")
        }
        return offset
    }
}
