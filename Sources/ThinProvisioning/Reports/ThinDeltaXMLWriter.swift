/// Writes the differences of two thin devices as XML, as `thin_delta` does.
public struct ThinDeltaXMLWriter {
    private var text: TextBuffer
    private let isVerbose: Bool
    /// The kind of the element that is open; only where several runs stand in one element.
    private var open: ThinDelta.Kind?

    /// A writer of XML.
    ///
    /// - Parameters:
    ///   - isVerbose: Whether the data blocks are written too.
    ///   - write: Takes a piece of the text.
    public init(isVerbose: Bool, _ write: @escaping ([UInt8]) throws -> Void) {
        self.isVerbose = isVerbose
        text = TextBuffer(write)
    }

    /// Begins the elements `superblock` and `diff`.
    public mutating func begin(_ pool: ThinMetadataHeader, from left: ThinDeltaSide, to right: ThinDeltaSide) {
        let flags = pool.flags & SuperblockLayout.needsCheck != 0 ? " flags=\"1\"" : ""
        text.add(
            text: "<superblock uuid=\"\" time=\"\(pool.time)\" transaction=\"\(pool.transactionID)\"\(flags) "
                + "data_block_size=\"\(pool.blockSectors)\" nr_data_blocks=\"\(pool.dataBlocks)\">\n")
        text.add(text: "  <diff \(Self.attribute(left, "left")) \(Self.attribute(right, "right"))>\n")
    }

    private static func attribute(_ side: ThinDeltaSide, _ name: String) -> String {
        switch side {
        case .device(let id): "\(name)=\"\(id)\""
        case .root(let block): "\(name)_root=\"\(block)\""
        }
    }

    /// Writes a run.
    public mutating func add(_ delta: ThinDelta) throws {
        if isVerbose, open != delta.kind {
            closeElement()
            open = delta.kind
            text.add("    <")
            text.add(Self.name(delta.kind))
            text.add(">\n")
        }
        if isVerbose {
            text.add("      <range")
        } else {
            text.add("    <")
            text.add(Self.name(delta.kind))
        }
        add(" begin=\"", delta.thinBlocks.lowerBound)
        if isVerbose {
            if delta.kind == .different {
                add(" left_data_begin=\"", delta.leftDataBlock ?? 0)
                add(" right_data_begin=\"", delta.rightDataBlock ?? 0)
            } else {
                add(" data_begin=\"", delta.leftDataBlock ?? delta.rightDataBlock ?? 0)
            }
        }
        add(" length=\"", UInt64(delta.thinBlocks.count))
        text.add("/>\n")
        try text.flushIfLarge()
    }

    private mutating func add(_ attribute: StaticString, _ number: UInt64) {
        text.add(attribute)
        text.add(number)
        text.add("\"")
    }

    private mutating func closeElement() {
        guard let open else { return }
        text.add("    </")
        text.add(Self.name(open))
        text.add(">\n")
        self.open = nil
    }

    private static func name(_ kind: ThinDelta.Kind) -> StaticString {
        switch kind {
        case .leftOnly: "left_only"
        case .rightOnly: "right_only"
        case .different: "different"
        case .same: "same"
        }
    }

    /// Ends the elements and hands on the rest of the text.
    public mutating func end() throws {
        closeElement()
        text.add("  </diff>\n</superblock>")
        try text.flush()
    }
}
