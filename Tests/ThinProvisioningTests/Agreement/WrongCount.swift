import Testing

@testable import ThinProvisioning

/// A reference count that is to be put into metadata: one that the bitmaps can hold.
struct WrongCount: Sendable, CustomStringConvertible {
    enum Map {
        case data, metadata
    }

    private let map: Map
    private let block: UInt64
    private let count: Int

    init(_ map: Map, _ block: UInt64, _ count: Int) {
        (self.map, self.block, self.count) = (map, block, count)
    }

    var description: String { "\(map) block \(block): \(count)" }

    /// Changes the bits of the count and nothing else.
    func put(into blocks: inout [[UInt8]]) throws {
        let metadata = try ThinPoolMetadata(reading: MetadataImage(blocks))
        let root = map == .data ? metadata.superblock.dataCounts : metadata.superblock.metadataCounts
        var uses = BlockUses(below: blocks.count)
        let content = SpaceMapContent(map == .data ? .data : .metadata, root, of: metadata.blocks, uses: &uses)
        let bitmap = Int(content.entries[Int(block / BitmapLayout.entries)].bitmap)
        let (field, shift) = BitmapLayout.place(Int(block % BitmapLayout.entries))
        // The lower bit of a count stands in the higher place.
        let bits = UInt8([0, 2, 1, 3][count])
        blocks[bitmap][field.offset] = blocks[bitmap][field.offset] & ~(3 << UInt8(shift)) | bits << UInt8(shift)
        blocks[bitmap].seal(.bitmap)
    }
}
