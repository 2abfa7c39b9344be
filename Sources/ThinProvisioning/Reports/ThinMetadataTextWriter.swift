/// Writes a pool's metadata as text for people, the form `human_readable` of `thin_dump`.
public struct ThinMetadataTextWriter: ThinMetadataVisitor {
    private var text: TextBuffer

    /// A writer of text.
    ///
    /// - Parameter write: Takes a piece of the text.
    public init(_ write: @escaping ([UInt8]) throws -> Void) {
        text = TextBuffer(write)
    }

    /// Writes a line for the pool.
    public mutating func begin(_ pool: ThinMetadataHeader) {
        let flags = pool.flags & SuperblockLayout.needsCheck
        text.add(
            text: "begin superblock: \"\", \(pool.time), \(pool.transactionID), \(flags), \(pool.version), "
                + "\(pool.blockSectors), \(pool.dataBlocks)\n")
    }

    /// Writes a line for the shared part.
    public mutating func beginShared(_ name: UInt64) {
        text.add(text: "def: \(name)\n")
    }

    /// Writes an empty line.
    public mutating func endShared() {
        text.add("\n")
    }

    /// Writes a line for each detail of a device.
    public mutating func beginDevice(_ device: ThinDeviceDetails) throws {
        text.add(
            text: "device: \(device.id)\nmapped_blocks: \(device.mappedBlocks)\ntransaction: \(device.transactionID)\n"
                + "creation time: \(device.creationTime)\nsnap time: \(device.snapshottedTime)\n")
        try text.flushIfLarge()
    }

    /// Writes an empty line.
    public mutating func endDevice() {
        text.add("\n")
    }

    /// Writes a line for a run.
    public mutating func map(_ run: ThinMapping) throws {
        text.add("    (")
        text.add(run.thinBlocks.lowerBound)
        text.add("..")
        text.add(run.thinBlocks.upperBound - 1)
        text.add(") -> (")
        text.add(run.dataBlock)
        text.add("..")
        text.add(run.dataBlock + UInt64(run.thinBlocks.count) - 1)
        text.add("), ")
        text.add(UInt64(run.time))
        text.add("\n")
        try text.flushIfLarge()
    }

    /// Writes a line for the reference.
    public mutating func reference(to name: UInt64) {
        text.add(text: "    ref: \(name)\n")
    }

    /// Writes the last line and hands on the rest of the text.
    public mutating func end() throws {
        text.add("end superblock\n")
        try text.flush()
    }
}
