/// A space map that has been written, for the superblock.
struct WrittenSpaceMap {
    let blocks: UInt64
    let used: UInt64
    let index: UInt64
    let overflow: UInt64

    func put(in block: inout MutableRawSpan, at offset: Int) {
        block.put(blocks, SpaceMapLayout.blocks, in: offset)
        block.put(used, SpaceMapLayout.used, in: offset)
        block.put(index, SpaceMapLayout.index, in: offset)
        block.put(overflow, SpaceMapLayout.overflow, in: offset)
    }
}

/// One bitmap while it is made.
private struct Bitmap {
    private var bytes = [UInt8](repeating: 0, count: Int(BitmapLayout.entries) / 4)
    private var used = 0
    private var firstFree: Int?
    private var lastUsed = -1

    /// Sets the count of an entry, in ascending order.
    mutating func set(_ entry: Int, to count: UInt32) {
        if entry != lastUsed + 1, firstFree == nil { firstFree = lastUsed + 1 }
        lastUsed = entry
        used += 1
        // The lower bit of a count stands in the higher place.
        let bits: UInt8 = count == 1 ? 2 : count == 2 ? 1 : 3
        bytes[entry / 4] |= bits << UInt8(2 * (entry % 4))
    }

    func write(to output: MetadataOutput) throws(ThinMetadataWriteError) -> WrittenBitmap {
        let block = try output.append(.bitmap) { block in
            for (index, byte) in bytes.enumerated() where byte != 0 {
                block.storeBytes(of: byte, toByteOffset: BitmapLayout.place(index * 4).field.offset, as: UInt8.self)
            }
        }
        return WrittenBitmap(
            block: block, free: UInt32(Int(BitmapLayout.entries) - used),
            firstFree: UInt32(firstFree ?? lastUsed + 1), used: UInt64(used))
    }
}

/// A bitmap that has been written, for the index.
private struct WrittenBitmap {
    let block: UInt64
    let free: UInt32
    let firstFree: UInt32
    let used: UInt64

    func put(in block: inout MutableRawSpan, at offset: Int) {
        block.put(self.block, IndexEntryLayout.bitmap, in: offset)
        block.put(free, IndexEntryLayout.free, in: offset)
        block.put(firstFree, IndexEntryLayout.firstFree, in: offset)
    }
}

extension PackedTree {
    private static let fewestInOverflow: UInt32 = 3

    /// Writes the reference counts of the data blocks.
    mutating func dataSpaceMap(_ counts: DataBlockCounts) throws(ThinMetadataWriteError) -> WrittenSpaceMap {
        var bitmaps: [WrittenBitmap] = []
        var large: (keys: [UInt64], counts: [UInt32]) = ([], [])
        for part in 0..<counts.partCount {
            var bitmap = Bitmap()
            let first = UInt64(part) * BitmapLayout.entries
            counts.forEach(inPart: part) { index, count in
                bitmap.set(index, to: count)
                guard count >= Self.fewestInOverflow else { return }
                large.keys.append(first + UInt64(index))
                large.counts.append(count)
            }
            let written = try bitmap.write(to: output)
            refer(to: written.block)
            bitmaps.append(written)
        }
        let overflow = try overflowTree(large.keys, large.counts)
        let written = bitmaps
        let index = try tree(keys: written.indices.map { UInt64($0) }, valueSize: IndexEntryLayout.size) {
            written[$0].put(in: &$1, at: $2)
        }
        refer(to: index)
        return WrittenSpaceMap(
            blocks: counts.blocks, used: written.reduce(0) { $0 + $1.used }, index: index, overflow: overflow)
    }

    private mutating func overflowTree(
        _ keys: [UInt64], _ counts: [UInt32]
    ) throws(ThinMetadataWriteError) -> UInt64 {
        let root = try tree(keys: keys, valueSize: MemoryLayout<UInt32>.size) { index, block, offset in
            block.put(counts[index], MetadataField<UInt32>(offset))
        }
        refer(to: root)
        return root
    }

    /// Writes the reference counts of the metadata's blocks, its own among them: the last thing before the superblock.
    mutating func metadataSpaceMap() throws(ThinMetadataWriteError) -> WrittenSpaceMap {
        let large = (0..<references.end).filter { references[$0] >= Self.fewestInOverflow }
        let overflow = try overflowTree(large, large.map { references[$0] })
        // All counts but those of the bitmaps and of the index are known. These are reserved before the first is written.
        let count = Int((output.capacity + BitmapLayout.entries - 1) / BitmapLayout.entries)
        let reserved = output.reserve(count + 1)
        for block in reserved { refer(to: block) }
        var bitmaps: [WrittenBitmap] = []
        for part in 0..<count {
            var bitmap = Bitmap()
            let first = UInt64(part) * BitmapLayout.entries
            for block in first..<min(first + BitmapLayout.entries, max(first, references.end)) {
                let count = references[block]
                if count > 0 { bitmap.set(Int(block - first), to: count) }
            }
            bitmaps.append(try bitmap.write(to: output))
        }
        let written = bitmaps
        let index = try output.append(.index) { block in
            for (number, bitmap) in written.enumerated() { bitmap.put(in: &block, at: IndexEntryLayout.offset(number)) }
        }
        return WrittenSpaceMap(
            blocks: output.capacity, used: written.reduce(0) { $0 + $1.used }, index: index, overflow: overflow)
    }
}
