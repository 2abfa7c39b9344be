import DeviceMapper
import SystemPackage
import TestSupport
import Testing

@testable import ThinProvisioning

/// Metadata that a kernel and thin_restore have written, compared with what thin-provisioning-tools read in it.
struct ThinPoolMetadataTests {
    private let scratch: ScratchDirectory

    init() throws {
        scratch = try ScratchDirectory()
    }

    /// The metadata that a kernel wrote, see `fixtures/thin-metadata`.
    private func kernelImage() throws -> FilePath {
        let package = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
        let file = scratch.appending("metadata")
        try Shell.run("xz -dc '\(package)/fixtures/thin-metadata/metadata.xz' > '\(file)'")
        return file
    }

    private func restoredImage(_ devices: [String], dataBlocks: Int = 20000) throws -> FilePath {
        let file = scratch.appending("metadata")
        let lines =
            ["<superblock uuid='' time='3' transaction='9' data_block_size='128' nr_data_blocks='\(dataBlocks)'>"]
            + devices + ["</superblock>"]
        let xml = try FileDescriptor.open(
            scratch.appending("xml"), .writeOnly, options: .create, permissions: .ownerReadWrite)
        _ = try xml.closeAfter { try xml.writeAll((lines.joined(separator: "\n") + "\n").utf8) }
        try Shell.run("truncate --size=4M '\(file)' && thin_restore -i '\(scratch.path)/xml' -o '\(file)'")
        return file
    }

    private func id(_ number: Int) throws -> ThinDeviceID { try #require(ThinDeviceID(number)) }

    private func expectAgreement(on file: FilePath, mappingsOf numbers: [Int]) throws {
        let metadata = try ThinPoolMetadata(reading: ThinMetadataDevice(file))
        let tools = ThinTools(file: file)
        let listed = try tools.list("DEV,MAPPED_BLOCKS,EXCLUSIVE_BLOCKS,TRANSACTION,CREATE_TIME,SNAP_TIME")
        let read = try metadata.devices().map { device in
            [
                UInt64(device.id.value), device.mappedBlocks, try metadata.exclusiveBlocks(of: device.id),
                device.transactionID, UInt64(device.creationTime), UInt64(device.snapshottedTime),
            ]
        }
        #expect(read == listed)
        for number in numbers {
            let mappings = try metadata.triples(of: id(number))
            #expect(try mappings == tools.mappings(of: id(number)), "device \(number)")
            #expect(try metadata.highestBlock(of: id(number)) == mappings.last?.first)
        }
    }

    @Test func agreesWithTheToolsOnWhatAKernelWrote() throws {
        let file = try kernelImage()
        try expectAgreement(on: file, mappingsOf: [1, 2, 3, 4, 10, 20, 31, 170, 239, 16_777_215])
        let superblock = try ThinPoolMetadata(reading: ThinMetadataDevice(file)).superblock
        #expect(superblock.transactionID == 7)
        #expect(superblock.blockSize == 128)
        #expect(superblock.time == 145)
        #expect(!superblock.needsCheck)
        #expect(superblock.heldRoot == nil)
        #expect(superblock.dataUsage?.total == 32768)
        #expect(superblock.metadataUsage?.total == 1024)
    }

    @Test func agreesWithTheToolsOnWhatWasRestored() throws {
        // Devices that share data blocks, in nodes that they do not share: what only the counts of the data blocks tell.
        var random = SeededRandom(seed: 17)
        var devices: [String] = []
        for device in 1...5 {
            var block = 0
            var mappings: [String] = []
            for _ in 0..<1500 {
                block += Int.random(in: 1...9, using: &random)
                let data = Int.random(in: 0..<20000, using: &random)
                mappings.append("<single_mapping origin_block='\(block)' data_block='\(data)' time='\(device % 3)'/>")
            }
            devices.append(
                """
                <device dev_id='\(device)' mapped_blocks='1500' transaction='\(device)' creation_time='0' snap_time='1'>
                \(mappings.joined(separator: "\n"))
                </device>
                """)
        }
        try expectAgreement(on: restoredImage(devices), mappingsOf: [1, 2, 3, 4, 5])
    }

    @Test func readsAnEmptyPool() throws {
        let metadata = try ThinPoolMetadata(reading: ThinMetadataDevice(restoredImage([])))
        #expect(try metadata.devices() == [])
        let one = try id(1)
        let error = #expect(throws: ThinMetadataError.self) { try metadata.mappings(of: one) { _ in } }
        #expect(error?.code == .noSuchDevice)
        #expect(try #require(error?.description).contains("no thin device 1"))
    }

    @Test func readsOnlyWhatIsExclusive() throws {
        let image = try MetadataImage(file: kernelImage())
        let metadata = try ThinPoolMetadata(reading: image)
        let (shared, changed) = (try id(10), try id(170))
        let all = try image.reads { try metadata.mappings(of: shared) { _ in } }
        let none = try image.reads { try #expect(metadata.exclusiveBlocks(of: shared) == 0) }
        let few = try image.reads { try #expect(metadata.exclusiveBlocks(of: changed) == 100) }
        #expect(all > 35)
        // The way to the device's root, and the count of that.
        #expect(none <= 5)
        #expect(few > none)
    }

    @Test func exclusiveRangesAreRangesOfTheDevice() throws {
        let metadata = try ThinPoolMetadata(reading: ThinMetadataDevice(kernelImage()))
        var ranges: [ThinMapping] = []
        try metadata.exclusiveRanges(of: id(1)) { ranges.append($0) }
        let blocks = Set(ranges.flatMap(\.thinBlocks))
        #expect(blocks.count == 100)
        #expect(blocks.isSubset(of: Set(8000..<8200)))
        let mapped = Set(try metadata.triples(of: id(1)))
        for range in ranges {
            for (offset, block) in range.thinBlocks.enumerated() {
                #expect(mapped.contains([block, range.dataBlock + UInt64(offset), UInt64(range.time)]))
            }
        }
    }

    @Test func readsTheContentOfADevice() throws {
        let file = try kernelImage()
        let metadata = try ThinPoolMetadata(reading: ThinMetadataDevice(file))
        // Each page of the data device has its own number in it.
        let data = try scratch.makeSparseFile("data", size: 2 << 30)
        let descriptor = try FileDescriptor.open(data, .writeOnly)
        let mapped = try metadata.triples(of: id(31)).prefix(50)
        for mapping in mapped {
            for page in mapping[1] * 16..<(mapping[1] + 1) * 16 {
                var bytes = [UInt8](repeating: 0xee, count: 4096)
                bytes.put(page, at: 0)
                try descriptor.writeAll(toAbsoluteOffset: Int64(page) * 4096, bytes)
            }
        }
        try descriptor.close()
        let content = try ThinDeviceContent(of: id(31), in: metadata, data: data)
        for mapping in mapped {
            let bytes = try content.read(offset: mapping[0] << 16 + 4096, count: 60000)
            #expect(bytes.count == 60000)
            #expect(bytes.long(at: 0) == mapping[1] * 16 + 1)
            #expect(bytes.long(at: 8192) == mapping[1] * 16 + 3)
            #expect(try content.read(offset: mapping[0] << 16 + 4095, count: 3) == [0xee] + bytes[..<2])
        }
        let holes = Set(0..<16384).subtracting(try metadata.triples(of: id(31)).map(\.[0]))
        #expect(
            try content.read(offset: try #require(holes.first) << 16, count: 100) == [UInt8](repeating: 0, count: 100))
        #expect(try content.read(offset: 7, count: 0) == [])
        #expect(try content.read(offset: .max, count: 5) == [])
        try Shell.run("truncate --size=64K '\(data)'")
        let first = try #require(mapped.first { $0[1] > 0 })
        #expect(throws: ThinMetadataError.self) { try content.read(offset: first[0] << 16, count: 1) }
    }

    @Test func stopsWhereTheCallerThrows() throws {
        struct Enough: Error {}
        let metadata = try ThinPoolMetadata(reading: ThinMetadataDevice(kernelImage()))
        var runs = 0
        #expect(throws: Enough.self) {
            try metadata.mappings(of: id(1)) { _ in
                runs += 1
                if runs == 3 { throw Enough() }
            }
        }
        #expect(runs == 3)
    }

    @Test func explainsWhatIsNoMetadata() throws {
        func error(_ path: FilePath) throws -> ThinMetadataError {
            try #require(
                #expect(throws: ThinMetadataError.self) { try ThinPoolMetadata(reading: ThinMetadataDevice(path)) })
        }
        #expect(try error(scratch.appending("missing")).code == .unreadable)
        #expect(try error(scratch.path).code == .unreadable)
        #expect(try error(scratch.makeSparseFile("zero", size: 1 << 20)).code == .notAPool)
        let short = try error(scratch.makeSparseFile("short", size: 4095))
        #expect(short.code == .inconsistent)
        #expect(short.description.contains("block 0 of the pool's metadata"))

        // A file that was cut short behind its superblock.
        let image = try kernelImage()
        try Shell.run("truncate --size=8K '\(image)'")
        let metadata = try ThinPoolMetadata(reading: ThinMetadataDevice(image))
        #expect(throws: ThinMetadataError.self) { try metadata.devices() }
    }

    @Test func beginsAgainWhenTheMetadataChanges() throws {
        let image = try MetadataImage(file: kernelImage())
        // With the fourth block that is read, the pool raises its transaction id.
        image.beforeRead(4) { blocks in
            blocks[0].put(UInt64(8), at: 48)
            blocks[0].seal(.superblock)
        }
        var attempts: [UInt64] = []
        let devices = try ThinPoolMetadata.consistently(reading: image) { metadata in
            attempts.append(metadata.superblock.transactionID)
            return try metadata.devices()
        }
        #expect(attempts == [7, 8])
        #expect(devices.count == 148)

        // A node that something else was written over never heals.
        let root = Int(image.blocks[0].long(at: 328))
        image.blocks[root] = image.blocks[0]
        attempts = []
        let error = #expect(throws: ThinMetadataError.self) {
            try ThinPoolMetadata.consistently(reading: image, attempts: 3) { metadata in
                attempts.append(metadata.superblock.transactionID)
                return try metadata.devices()
            }
        }
        #expect(error?.code == .inconsistent)
        #expect(error?.block == UInt64(root))
        #expect(attempts.count == 3)
    }
}
