import SystemPackage
import TestSupport
import Testing

@testable import ThinProvisioning

/// Metadata that is not what it should be: every reading ends, with an answer or with an error, and nothing traps.
struct DamagedMetadataTests {
    /// A small pool: every tree is one node.
    private let blocks: [[UInt8]]

    init() throws {
        let scratch = try ScratchDirectory()
        let file = scratch.appending("metadata")
        try Shell.run(
            """
            cat > '\(scratch.path)/xml' <<'XML'
            <superblock uuid="" time="3" transaction="9" data_block_size="128" nr_data_blocks="1000">
            <device dev_id="1" mapped_blocks="30" transaction="0" creation_time="0" snap_time="1">
            <range_mapping origin_begin="0" data_begin="100" length="30" time="0"/>
            </device>
            <device dev_id="2" mapped_blocks="20" transaction="0" creation_time="0" snap_time="1">
            <range_mapping origin_begin="7" data_begin="110" length="20" time="1"/>
            </device>
            </superblock>
            XML
            truncate --size=4M '\(file)' && thin_restore -i '\(scratch.path)/xml' -o '\(file)'
            """)
        blocks = try MetadataImage(file: file).blocks
    }

    private var one: ThinDeviceID { get throws { try #require(ThinDeviceID(1)) } }
    private var superblock: ThinPoolSuperblock {
        get throws { try ThinPoolMetadata(reading: MetadataImage(blocks)).superblock }
    }

    /// Reads all that the small pool has of its first device.
    private func read(_ blocks: [[UInt8]]) throws {
        let metadata = try ThinPoolMetadata(reading: MetadataImage(blocks))
        _ = try metadata.devices()
        try metadata.mappings(of: one) { _ in }
        _ = try metadata.exclusiveBlocks(of: one)
    }

    @Test func knowsTheChecksum() {
        // The check value of CRC-32C, which inverts the result.
        let text = Array("123456789".utf8)
        let checksum = unsafe CRC32C.checksum(text.span.bytes)
        #expect(~checksum == 0xe306_9283)
    }

    @Test func refusesEveryFlippedByte() throws {
        for (block, kind) in [(0, MetadataBlock.Kind.superblock), (Int(try superblock.mappings), .node)] {
            for offset in 0..<4096 {
                var flipped = blocks[block]
                flipped[offset] ^= 0xff
                #expect(throws: ThinMetadataError.self) { try MetadataBlock(flipped, UInt64(block), kind) }
            }
        }
    }

    /// Flips bytes of a block, makes its checksum right again, and reads.
    private func flip(_ block: UInt64, _ kind: MetadataBlock.Kind, _ offsets: some Sequence<Int>) throws {
        var refused = 0
        for offset in offsets {
            var flipped = blocks
            flipped[Int(block)][offset] ^= 0xff
            flipped[Int(block)].seal(kind)
            do {
                try read(flipped)
            } catch is ThinMetadataError {
                refused += 1
            }
        }
        #expect(refused > 0)
    }

    // The bytes behind what is used are nobody's.
    @Test func survivesEveryByteOfTheSuperblock() throws {
        // The kernel uses 364 bytes of it.
        try flip(0, .superblock, 4..<400)
    }

    @Test func survivesEveryByteOfANode() throws {
        let metadata = try ThinPoolMetadata(reading: MetadataImage(blocks))
        let root = try metadata.mappingTree(of: one).root
        let values = 32 + 8 * 252
        try flip(root, .node, 4..<32 + 8 * 31)
        try flip(root, .node, values..<values + 8 * 31)
        try flip(metadata.superblock.mappings, .node, 4..<64)
        try flip(metadata.superblock.details, .node, 4..<64)
    }

    @Test func survivesTheBytesOfTheReferenceCounts() throws {
        let superblock = try superblock
        try flip(superblock.dataCounts.index, .node, 4..<64)
        try flip(superblock.metadataCounts.index, .index, 4..<64)
        let node = blocks[Int(superblock.dataCounts.index)]
        let values = 32 + 8 * Int(node[20]) + 256 * 8 * Int(node[21])
        try flip(node.long(at: values), .bitmap, 4..<64)
    }

    // MARK: Trees that go in circles

    private func node(_ number: UInt64, keys: [UInt64], values: [UInt64], isLeaf: Bool = false) -> [UInt8] {
        var node = [UInt8](repeating: 0, count: 4096)
        node.put(UInt32(isLeaf ? 2 : 1), at: 4)
        node.put(number, at: 8)
        node.put(UInt32(keys.count), at: 16)
        node.put(UInt32(252), at: 20)
        node.put(UInt32(8), at: 24)
        for (index, key) in keys.enumerated() { node.put(key, at: 32 + 8 * index) }
        for (index, value) in values.enumerated() { node.put(value, at: 32 + 8 * 252 + 8 * index) }
        node.seal(.node)
        return node
    }

    private func expectInconsistent(_ changed: [UInt64: [UInt8]], _ words: String) throws {
        var blocks = blocks
        for (number, block) in changed { blocks[Int(number)] = block }
        let metadata = try ThinPoolMetadata(reading: MetadataImage(blocks))
        let error = #expect(throws: ThinMetadataError.self) { try metadata.mappings(of: one) { _ in } }
        #expect(error?.code == .inconsistent)
        #expect(error?.detail.contains(words) == true, "\(error as Any)")
    }

    /// Keys that no thin device can have: nothing adds to them what 64 bits do not hold.
    @Test(arguments: [UInt64.max, UInt64.max - 1, UInt64(1) << 57]) func survivesTheHighestKeys(key: UInt64) throws {
        let metadata = try ThinPoolMetadata(reading: MetadataImage(blocks))
        var leaf: UInt64?
        try metadata.mappingTree(of: one).forEachLeaf { leaf = $0.block.number }
        let block = Int(try #require(leaf))
        var blocks = blocks
        let count = Int(MetadataBlock.number(NodeLayout.count, in: blocks[block]))
        blocks[block].put(key, at: NodeLayout.key(count - 1).offset)
        blocks[block].seal(.node)
        let damaged = try ThinPoolMetadata(reading: MetadataImage(blocks))
        let report = try ThinMetadataCheck.report(on: damaged)
        #expect(key < .max || report.severity == .damage)
        func attempt(_ body: () throws -> Void) {
            do {
                try body()
            } catch {
                #expect(error is ThinMetadataError)
            }
        }
        attempt {
            var writer = ThinMetadataXMLWriter { _ in }
            try damaged.walk(into: &writer)
        }
        attempt { _ = try damaged.owners(of: [0..<UInt64.max]) }
        attempt { _ = try damaged.usage() }
        attempt { _ = try damaged.dataMap(parts: 100) }
        let one = try one
        attempt { _ = try damaged.sharing(of: one) }
        for other in try metadata.devices() {
            attempt { try damaged.delta(from: .device(one), to: .device(other.id), includesEqual: true) { _ in } }
        }
    }

    @Test func endsWhereATreeGoesInCircles() throws {
        let root = try ThinPoolMetadata(reading: MetadataImage(blocks)).mappingTree(of: one).root
        try expectInconsistent([root: node(root, keys: [0], values: [root])], "deeper than any tree")
        // With 252 ways down on 16 levels, only the ranges of the keys end this in our time.
        let keys = (0..<252).map { UInt64($0) << 40 }
        try expectInconsistent(
            [root: node(root, keys: keys, values: keys.map { _ in root })], "out of order, or outside")
        // Two ways to the same leaf.
        try expectInconsistent(
            [
                root: node(root, keys: [0, 1 << 20], values: [900, 900]),
                900: node(900, keys: [5], values: [3 << 24], isLeaf: true),
            ], "out of order, or outside")
    }

    @Test func refusesNodesThatAreNone() throws {
        let root = try ThinPoolMetadata(reading: MetadataImage(blocks)).mappingTree(of: one).root
        try expectInconsistent([root: node(root, keys: [3, 3], values: [0, 0], isLeaf: true)], "out of order")
        try expectInconsistent([root: node(root, keys: [1 << 57], values: [0], isLeaf: true)], "out of order")
        try expectInconsistent([root: node(root, keys: [.max], values: [0], isLeaf: true)], "out of order")
        try expectInconsistent([root: node(root, keys: [0], values: [1000 << 24], isLeaf: true)], "behind the end")
        try expectInconsistent([root: node(root, keys: [], values: [])], "no entries")
        try expectInconsistent([root: node(root + 1, keys: [0], values: [0], isLeaf: true)], "calls itself block")
        try expectInconsistent([root: node(root, keys: [0], values: [1 << 50])], "there are 1024 blocks")
    }
}
