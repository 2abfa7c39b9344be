/// Writes a pool's metadata as XML, the form that `thin_dump` writes and `thin_restore` reads.
public struct ThinMetadataXMLWriter: ThinMetadataVisitor {
    private var text: TextBuffer

    /// A writer of XML.
    ///
    /// - Parameter write: Takes a piece of the text.
    public init(_ write: @escaping ([UInt8]) throws -> Void) {
        text = TextBuffer(write)
    }

    /// Begins the element `superblock`.
    public mutating func begin(_ pool: ThinMetadataHeader) {
        // The kernel keeps no uuid, and no program for thin pools reads or writes one.
        text.add("<superblock uuid=\"\" time=\"")
        text.add(UInt64(pool.time))
        text.add("\" transaction=\"")
        text.add(pool.transactionID)
        if pool.flags & SuperblockLayout.needsCheck != 0 { text.add("\" flags=\"1") }
        text.add("\" version=\"")
        text.add(UInt64(pool.version))
        text.add("\" data_block_size=\"")
        text.add(UInt64(pool.blockSectors))
        text.add("\" nr_data_blocks=\"")
        text.add(pool.dataBlocks)
        text.add("\">\n")
    }

    /// Begins an element `def`.
    public mutating func beginShared(_ name: UInt64) {
        text.add("  <def name=\"")
        text.add(name)
        text.add("\">\n")
    }

    /// Ends an element `def`.
    public mutating func endShared() {
        text.add("  </def>\n")
    }

    /// Begins an element `device`.
    public mutating func beginDevice(_ device: ThinDeviceDetails) throws {
        text.add("  <device dev_id=\"")
        text.add(UInt64(device.id.value))
        text.add("\" mapped_blocks=\"")
        text.add(device.mappedBlocks)
        text.add("\" transaction=\"")
        text.add(device.transactionID)
        text.add("\" creation_time=\"")
        text.add(UInt64(device.creationTime))
        text.add("\" snap_time=\"")
        text.add(UInt64(device.snapshottedTime))
        text.add("\">\n")
        try text.flushIfLarge()
    }

    /// Ends an element `device`.
    public mutating func endDevice() {
        text.add("  </device>\n")
    }

    /// Writes an element for a run, or for a single mapping.
    public mutating func map(_ run: ThinMapping) throws {
        let length = UInt64(run.thinBlocks.count)
        if length == 1 {
            text.add("    <single_mapping origin_block=\"")
            text.add(run.thinBlocks.lowerBound)
            text.add("\" data_block=\"")
            text.add(run.dataBlock)
        } else {
            text.add("    <range_mapping origin_begin=\"")
            text.add(run.thinBlocks.lowerBound)
            text.add("\" data_begin=\"")
            text.add(run.dataBlock)
            text.add("\" length=\"")
            text.add(length)
        }
        text.add("\" time=\"")
        text.add(UInt64(run.time))
        text.add("\"/>\n")
        try text.flushIfLarge()
    }

    /// Writes an element `ref`.
    public mutating func reference(to name: UInt64) {
        text.add("    <ref name=\"")
        text.add(name)
        text.add("\"/>\n")
    }

    /// Ends the element `superblock`, without an end of the line, and hands on the rest of the text.
    public mutating func end() throws {
        text.add("</superblock>")
        try text.flush()
    }
}
