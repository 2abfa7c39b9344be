/// Compares the reference counts of a device with the uses of its blocks.
struct CountComparison {
    /// The counts that are too high, and those that are too low.
    private(set) var tooHigh: UInt64 = 0
    private(set) var tooLow: UInt64 = 0
    /// The counts that are too high for another reason than that a block which nothing uses is counted once.
    private(set) var overcounted: UInt64 = 0
    /// Wrong counts, in order of the bitmaps on the disk.
    private(set) var wrong: [ThinMetadataReport.WrongCount] = []
    /// How many blocks are in use by the bitmaps.
    private(set) var used: UInt64 = 0
    /// The bitmaps that cannot be read.
    private(set) var faults: [TreeFault] = []
    /// The bitmaps whose number of free blocks is not what the index says.
    private(set) var wrongFreeCounts = 0
    /// The counts above 2 that no bitmap asks for.
    private(set) var strayOverflow = 0

    /// Reads the bitmaps of a device.
    ///
    /// - Parameters:
    ///   - content: The counts as the metadata has them.
    ///   - uses: Gives the uses of the blocks of a bitmap; an empty array stands for no uses.
    init(_ content: SpaceMapContent, uses: (Int) -> (part: [UInt8], large: (UInt64) -> UInt32)) {
        var overflowSeen = 0
        content.forEachBitmap { number, bytes, fault in
            if let fault {
                faults.append(TreeFault(block: content.entries[number].bitmap, fault: fault))
                return
            }
            let first = UInt64(number) * BitmapLayout.entries
            let count = Int(min(BitmapLayout.entries, content.root.blocks - min(first, content.root.blocks)))
            let uses = uses(number)
            // The entries behind the end of the device count as free.
            var free = Int(BitmapLayout.entries) - count
            for byte in 0..<(count + 3) / 4 {
                let stored = bytes.number(MetadataField<UInt8>(BitmapLayout.headerSize + byte))
                let entries = min(4, count - 4 * byte)
                if stored == 0, uses.part.isEmpty {
                    free += entries
                    continue
                }
                for entry in 0..<entries {
                    let block = first + UInt64(4 * byte + entry)
                    let inPart = uses.part.isEmpty ? 0 : uses.part[4 * byte + entry]
                    let real = inPart == .max ? uses.large(block) : UInt32(inPart)
                    // The lower bit of a count stands in the higher place.
                    var count: UInt32
                    switch stored >> (2 * UInt8(entry)) & 3 {
                    case 0: count = 0
                    case 1: count = 2
                    case 2: count = 1
                    default:
                        count = content.overflow[block] ?? 0
                        overflowSeen += content.overflow[block] == nil ? 0 : 1
                        // A count that is not there counts as one that the bitmap can hold.
                        if count == 0 { count = 3 }
                    }
                    if count == 0 { free += 1 } else { used += 1 }
                    if count != real { note(block, count, real) }
                }
            }
            if free != Int(content.entries[number].free) { wrongFreeCounts += 1 }
        }
        strayOverflow = max(0, content.overflow.count - overflowSeen)
    }

    private mutating func note(_ block: UInt64, _ stored: UInt32, _ real: UInt32) {
        if stored > real { tooHigh += 1 } else { tooLow += 1 }
        if stored > real, stored > 1 { overcounted += 1 }
        if wrong.count < ThinMetadataReport.mostWrongCounts {
            wrong.append(ThinMetadataReport.WrongCount(block: block, stored: stored, real: real))
        }
    }
}
