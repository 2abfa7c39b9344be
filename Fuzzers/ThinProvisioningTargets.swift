import DeviceMapper
import Glibc
import SystemPackage

@testable import ThinProvisioning

extension FuzzTarget {
    /// Status lines of pools and thin devices.
    static let status = FuzzTarget(name: "status") { input in
        let text = String(decoding: input, as: UTF8.self)
        if case .available(let state)? = accepting({ () throws(DeviceMapperError) in
            try ThinPoolStatus(parsing: text, blockSize: 2048)
        }) {
            for usage in [state.data, state.metadata] {
                demand(usage.used <= usage.total && usage.free + usage.used == usage.total, "more than all is used")
                demand(usage.usedBytes + usage.freeBytes == usage.totalBytes, "the bytes do not add up")
            }
        }
        if case .available(let mapped, let highest)? = accepting({ () throws(DeviceMapperError) in
            try ThinDeviceStatus(parsing: text)
        }) {
            _ = (mapped.bytes, highest?.bytes)
        }
    }

    /// A pool's metadata: a good one with bytes changed, and the checksums made right again.
    static let metadata = FuzzTarget(name: "metadata") { input in
        let image = MetadataImage(changing: input)
        guard let metadata = accepting({ () throws(ThinMetadataError) in try ThinPoolMetadata(reading: image) }) else {
            return
        }
        _ = accepting { () throws(ThinMetadataError) in try metadata.isCurrent() }
        accepting { try walk(metadata) }
    }

    private static func walk(_ metadata: ThinPoolMetadata) throws {
        let limit = metadata.superblock.dataUsage?.total ?? ThinPoolMetadata.dataBlockLimit
        for device in try metadata.devices().prefix(3) {
            var end: UInt64 = 0
            accepting {
                try metadata.mappings(of: device.id) { mapping in
                    demand(mapping.thinBlocks.lowerBound >= end, "mappings are not in order")
                    demand(
                        mapping.dataBlock + UInt64(mapping.thinBlocks.count) <= limit,
                        "a mapping leads out of the data device")
                    end = mapping.thinBlocks.upperBound
                }
            }
            accepting { () throws(ThinMetadataError) in _ = try metadata.highestBlock(of: device.id) }
            accepting { _ = try metadata.sharing(of: device.id) }
            accepting {
                try metadata.exclusiveRanges(of: device.id) { mapping in
                    demand(!mapping.thinBlocks.isEmpty, "a range is empty")
                }
            }
        }
        accepting {
            let map = try metadata.dataMap(parts: 50)
            let used = map.devices.reduce(map.shared) { $0 + $1.exclusive }
            demand(used + map.free == map.dataBlocks, "\(used) used and \(map.free) free of \(map.dataBlocks)")
        }
        var end: UInt64 = 0
        try metadata.unusedDataBlocks { blocks in
            demand(blocks.lowerBound >= end && blocks.upperBound <= limit, "unused blocks \(blocks) of \(limit)")
            end = blocks.upperBound
        }
    }
}

/// The blocks of a metadata device, in memory.
struct MetadataImage: ThinMetadataSource {
    /// The blocks that are not all zeros.
    private var blocks: [UInt64: [UInt8]] = [:]
    private var changed: Set<UInt64> = []
    let count: Int

    /// The one in the file that `FUZZ_METADATA` names.
    static let original: MetadataImage = {
        let path = unsafe getenv("FUZZ_METADATA").map { unsafe String(cString: $0) } ?? ""
        do {
            let file = try FileDescriptor.open(FilePath(path), .readOnly)
            return try file.closeAfter { try MetadataImage(file) }
        } catch {
            print("FUZZ_METADATA must name a pool's metadata: \(error)")
            exit(64)
        }
    }()

    /// The original with bytes changed, and the checksums made right again.
    init(changing input: [UInt8]) {
        self = Self.original
        var reader = InputReader(input)
        while !reader.isEmpty {
            // A block, a place in it and the bytes there.
            let block = UInt64(reader.byte()) % UInt64(max(1, count))
            let (offset, length) = (Int(reader.number(2)) % ThinPoolMetadata.blockSize, Int(reader.byte() % 16) + 1)
            for index in offset..<min(offset + length, ThinPoolMetadata.blockSize) {
                change(block, index, to: reader.byte())
            }
        }
        correctChecksums()
    }

    private init(_ file: FileDescriptor) throws {
        var number: UInt64 = 0
        while true {
            var block = [UInt8](repeating: 0, count: ThinPoolMetadata.blockSize)
            let read = try unsafe block.withUnsafeMutableBytes { unsafe try file.read(into: $0) }
            guard read == block.count else { break }
            if block.contains(where: { $0 != 0 }) { blocks[number] = block }
            number += 1
        }
        count = Int(number)
    }

    mutating func change(_ block: UInt64, _ offset: Int, to byte: UInt8) {
        blocks[block, default: [UInt8](repeating: 0, count: ThinPoolMetadata.blockSize)][offset] = byte
        changed.insert(block)
    }

    /// Gives every changed block the checksum of the kind that its place among the others suggests.
    mutating func correctChecksums() {
        for number in changed {
            guard let block = blocks[number] else { continue }
            let original = Self.original.blocks[number] ?? block
            let kinds: [MetadataBlock.Kind] = [.superblock, .node, .bitmap, .index]
            // A block keeps its original kind; a block that had none becomes a node.
            let kind = kinds.first { (try? MetadataBlock(original, number, $0)) != nil } ?? .node
            let checksum = unsafe CRC32C.checksum(block.span.bytes.extracting(4..<block.count)) ^ kind.rawValue
            for byte in 0..<4 { blocks[number]?[byte] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(byte))) }
        }
    }

    func readBlock(_ number: UInt64) throws -> [UInt8] {
        guard number < UInt64(count) else { throw Errno.invalidArgument }
        return blocks[number] ?? [UInt8](repeating: 0, count: ThinPoolMetadata.blockSize)
    }
}
