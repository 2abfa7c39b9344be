import SystemPackage
import TestSupport

@testable import ThinProvisioning

/// A pool that is made from a number: its XML, for thin_restore.
struct ExamplePool {
    enum Shape: String, CaseIterable {
        case empty, unmapped, small, fragmented, sharedParts, manyDevices, manyReferences, deep, wide
    }

    let shape: Shape
    private(set) var xml = ""
    private var random: SeededRandom
    private var nextBlock: UInt64 = 0

    init(_ shape: Shape, seed: UInt64) {
        self.shape = shape
        random = SeededRandom(seed: seed)
        var body = ""
        switch shape {
        case .empty: break
        case .unmapped: for id in 0..<5 { body += device(id, mapped: 0, "") }
        case .small: for id in 1...4 { body += runs(id, count: 20, longest: 40) }
        case .fragmented: for id in 1...3 { body += runs(id, count: 3000, longest: 2) }
        case .manyDevices: for id in 0..<2000 { body += runs(id * 3, count: Int(random.next() % 3), longest: 3) }
        case .manyReferences:
            for id in 1...20 { body += device(id, mapped: 400, Self.range(0, 7, 400, time: id)) }
            nextBlock = 1000
        case .sharedParts: body = shared(parts: 6, length: 700, devices: 12)
        case .deep: body = shared(parts: 4, length: 20_000, devices: 5)
        case .wide:
            for id in 1...6 {
                nextBlock += 70_000
                let (text, mapped, _) = runs(from: UInt64(id) << 34, count: 90, longest: 30)
                body += device(id * 1000, mapped: mapped, text)
            }
        }
        let version = seed % 3 == 0 ? 1 : 2
        let head = "time=\"3\" transaction=\"\(seed)\" version=\"\(version)\" data_block_size=\"\(128 << (seed % 3))\""
        xml = "<superblock uuid=\"\" \(head) nr_data_blocks=\"\(nextBlock + 500)\">\n\(body)</superblock>\n"
    }

    private func device(_ id: Int, mapped: UInt64, _ content: String) -> String {
        "<device dev_id=\"\(id)\" mapped_blocks=\"\(mapped)\" transaction=\"\(id % 5)\" creation_time=\"\(id % 3)\" "
            + "snap_time=\"\(id % 4)\">\n\(content)</device>\n"
    }

    private static func range(_ thin: UInt64, _ data: UInt64, _ length: UInt64, time: Int) -> String {
        "<range_mapping origin_begin=\"\(thin)\" data_begin=\"\(data)\" length=\"\(length)\" time=\"\(time % 4)\"/>\n"
    }

    /// Runs of mappings from a block on, with their number.
    private mutating func runs(from first: UInt64, count: Int, longest: UInt64) -> (
        text: String, mapped: UInt64, end: UInt64
    ) {
        var (text, mapped, thin) = ("", UInt64(0), first)
        for index in 0..<count {
            let length = 1 + random.next() % longest
            thin += random.next() % 3
            nextBlock += random.next() % 3
            text += Self.range(thin, nextBlock, length, time: index)
            (thin, nextBlock, mapped) = (thin + length, nextBlock + length, mapped + length)
        }
        return (text, mapped, thin)
    }

    private mutating func runs(_ id: Int, count: Int, longest: UInt64) -> String {
        let (text, mapped, _) = runs(from: 0, count: count, longest: longest)
        return device(id, mapped: mapped, text)
    }

    private mutating func shared(parts: Int, length: Int, devices: Int) -> String {
        var (definitions, body) = ("", "")
        var known: [(mapped: UInt64, end: UInt64)] = []
        var thin: UInt64 = 0
        for part in 0..<parts {
            let (text, mapped, end) = runs(from: thin, count: length, longest: 2)
            definitions += "<def name=\"\(part)\">\n\(text)</def>\n"
            known.append((mapped, end))
            thin = end + random.next() % 50
        }
        for id in 1...devices {
            var (content, mapped): (String, UInt64) = ("", 0)
            for part in 0..<parts where id == 1 || random.next() % 3 > 0 {
                content += "<ref name=\"\(part)\"/>\n"
                mapped += known[part].mapped
            }
            let own = runs(from: thin, count: Int(random.next() % 600), longest: 2)
            body += device(id, mapped: mapped + own.mapped, content + own.text)
        }
        return definitions + body
    }
}

extension Peers {
    /// Does what thin_restore cannot do.
    ///
    /// The last device gets a copy of the root of the first one, as a snapshot has after its first write. The pool holds a
    /// snapshot of its metadata and has the mark `needs_check`. The reference counts stay as they were.
    func snapshotTheFirstDevice() throws {
        var blocks = try MetadataImage(file: file).blocks
        let superblock = try ThinPoolMetadata(reading: MetadataImage(blocks)).superblock
        let top = try MetadataBlock(
            superblock.mappings, .node,
            from: MetadataBlocks(
                source: MetadataImage(blocks), count: UInt64(blocks.count)))
        let count = UInt64(top[NodeLayout.count])
        if count > 1, top[NodeLayout.flags] == NodeLayout.leaf {
            let values = NodeLayout.values(behind: Int(top[NodeLayout.capacity]))
            let copy = blocks.count - 1
            blocks[copy] = blocks[Int(top[MetadataField<UInt64>(values)])]
            blocks[copy].put(UInt64(copy), at: 8)
            blocks[copy].seal(.node)
            blocks[Int(superblock.mappings)].put(UInt64(copy), at: values + 8 * Int(count - 1))
            blocks[Int(superblock.mappings)].seal(.node)
        }
        let held = blocks.count - 2
        blocks[held] = blocks[0]
        for byte in SuperblockLayout.dataSpaceMap..<320 { blocks[held][byte] = 0 }
        blocks[held].put(UInt64(held), at: 8)
        blocks[held].seal(.superblock)
        blocks[0].put(UInt64(held), at: SuperblockLayout.heldRoot.offset)
        blocks[0].put(SuperblockLayout.needsCheck, at: 4)
        blocks[0].seal(.superblock)
        let target = try FileDescriptor.open(file, .writeOnly)
        _ = try target.closeAfter { try target.writeAll(blocks.joined()) }
    }
}
