import SystemPackage
import TestSupport
import Testing

@testable import ThinProvisioning

/// The devices of each data block, compared with a count of all mappings one by one.
struct DataMapTests {
    /// Metadata with its devices and their mappings.
    private struct Pool {
        let metadata: ThinPoolMetadata
        var devices: [ThinDeviceID: [(thin: UInt64, data: UInt64)]] = [:]
        /// The devices that have a data block.
        var owners: [UInt64: [ThinDeviceID]] = [:]
        let total: UInt64

        init(_ file: FilePath) throws {
            metadata = try ThinPoolMetadata(reading: ThinMetadataDevice(file))
            total = try #require(metadata.superblock.dataUsage?.total)
            for device in try metadata.devices() {
                devices[device.id] = []
                try metadata.mappings(of: device.id) { run in
                    for offset in 0..<UInt64(run.thinBlocks.count) {
                        devices[device.id]?.append((run.thinBlocks.lowerBound + offset, run.dataBlock + offset))
                        owners[run.dataBlock + offset, default: []].append(device.id)
                    }
                }
            }
        }

        func pieces(_ id: ThinDeviceID) -> UInt64 {
            var pieces: UInt64 = 0
            var last: (thin: UInt64, data: UInt64)?
            for mapping in devices[id] ?? [] {
                if last.map({ $0.thin + 1 != mapping.thin || $0.data + 1 != mapping.data }) ?? true { pieces += 1 }
                last = mapping
            }
            return pieces
        }

        func exclusive(_ id: ThinDeviceID, in blocks: Range<UInt64>) -> UInt64 {
            UInt64((devices[id] ?? []).count { blocks.contains($0.data) && owners[$0.data] == [id] })
        }
    }

    private let scratch: ScratchDirectory

    init() throws {
        scratch = try ScratchDirectory()
    }

    /// The metadata that a kernel wrote, or that is written of an example.
    private func pool(_ shape: ExamplePool.Shape?) throws -> Pool {
        let file = try scratch.makeSparseFile("metadata", size: 8 << 20)
        if let shape {
            try TextFile.write(ExamplePool(shape, seed: 5).xml, to: scratch.appending("xml"))
            var writer = try ThinMetadataWriter(file)
            let document = try FileDescriptor.open(scratch.appending("xml"), .readOnly)
            try document.closeAfter {
                var reader = ThinMetadataDocumentReader(document)
                try reader.read(into: &writer)
            }
        } else {
            try Shell.run("xz -dc '\(ProjectFolder.path)/fixtures/thin-metadata/metadata.xz' > '\(file)'")
        }
        return try Pool(file)
    }

    private static let shapes: [ExamplePool.Shape?] = [nil, .empty, .small, .fragmented, .sharedParts]

    @Test(arguments: shapes, [1, 64, 1 << 20]) func countsEveryBlock(shape: ExamplePool.Shape?, parts: Int) throws {
        let pool = try pool(shape)
        let map = try pool.metadata.dataMap(parts: parts)
        #expect(map.dataBlocks == pool.total)
        #expect(map.parts.count <= parts)
        #expect(map.parts.first?.dataBlocks.lowerBound ?? 0 == 0)
        #expect(map.parts.last?.dataBlocks.upperBound ?? 0 == pool.total)
        #expect(map.free == pool.total - UInt64(pool.owners.count))
        #expect(map.shared == UInt64(pool.owners.values.count { Set($0).count > 1 }))
        for device in map.devices {
            #expect(device.mapped == UInt64(pool.devices[device.id]?.count ?? 0))
            #expect(device.exclusive == pool.exclusive(device.id, in: 0..<pool.total))
            #expect(device.pieces == pool.pieces(device.id), "device \(device.id)")
        }
        for part in map.parts.prefix(200) {
            let used = part.dataBlocks.count { pool.owners[$0] != nil }
            #expect(part.free == UInt64(part.dataBlocks.count - used))
            for (id, count) in part.exclusive { #expect(count == pool.exclusive(id, in: part.dataBlocks)) }
        }
        let free = try freeRuns(pool, in: 0..<pool.total)
        #expect(map.freeRuns == UInt64(free.count))
        #expect(map.longestFreeRun == UInt64(free.map(\.count).max() ?? 0))
    }

    private func freeRuns(_ pool: Pool, in range: Range<UInt64>) throws -> [Range<UInt64>] {
        var runs: [Range<UInt64>] = []
        for block in range where pool.owners[block] == nil {
            if let last = runs.last, last.upperBound == block {
                runs[runs.count - 1] = last.lowerBound..<block + 1
            } else {
                runs.append(block..<block + 1)
            }
        }
        return runs
    }

    /// The reference counts say of each range what the mappings say.
    @Test(arguments: shapes) func findsTheUnusedBlocksOfARange(shape: ExamplePool.Shape?) throws {
        let pool = try pool(shape)
        for range in [0..<pool.total, 1..<2, 100..<pool.total / 2 + 100, pool.total - 1..<pool.total + 50] {
            var found: [Range<UInt64>] = []
            try pool.metadata.unusedDataBlocks(in: range) { found.append($0) }
            #expect(try found == freeRuns(pool, in: range.clamped(to: 0..<pool.total)), "\(range)")
        }
    }

    @Test(arguments: shapes) func saysWithWhomADeviceShares(shape: ExamplePool.Shape?) throws {
        let pool = try pool(shape)
        for id in pool.devices.keys.sorted().prefix(6) {
            var expected: [ThinDeviceID: UInt64] = [:]
            let own = Set((pool.devices[id] ?? []).map(\.data))
            for (other, mappings) in pool.devices where other != id {
                let count = mappings.count { own.contains($0.data) }
                if count > 0 { expected[other] = UInt64(count) }
            }
            let sharing = try pool.metadata.sharing(of: id)
            #expect(sharing.others == expected, "device \(id)")
            #expect(sharing.mapped == UInt64(pool.devices[id]?.count ?? 0))
            #expect(sharing.exclusive == pool.exclusive(id, in: 0..<pool.total))
        }
    }
}
