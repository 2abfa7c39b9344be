import SystemPackage
import TestSupport
import Testing

@testable import ThinProvisioning

/// Metadata that is written: thin_check has nothing to say, and what was put in is there.
struct MetadataWriterTests {
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func header(dataBlocks: UInt64 = 100_000, time: UInt32 = 5) -> ThinMetadataHeader {
        ThinMetadataHeader(time: time, transactionID: 3, blockSectors: 128, dataBlocks: dataBlocks)
    }

    private func device(_ number: Int, mapped: UInt64 = 0) throws -> ThinDeviceDetails {
        ThinDeviceDetails(
            id: try #require(ThinDeviceID(number)), mappedBlocks: mapped, transactionID: 1, creationTime: 1,
            snapshottedTime: 2)
    }

    private func output(_ size: Int64 = 8 << 20) throws -> FilePath {
        try scratch.makeSparseFile("metadata", size: size)
    }

    private func check(_ file: FilePath) throws {
        try Shell.run("thin_check '\(file)'")
    }

    @Test func writesAnEmptyPool() throws {
        let file = try output()
        var writer = try ThinMetadataWriter(file)
        try writer.begin(header())
        try writer.end()
        try check(file)
        #expect(try ThinPoolMetadata(reading: ThinMetadataDevice(file)).devices().isEmpty)
    }

    /// Runs beside shared parts are as short and as long as they can be: every node is full enough for thin_check.
    @Test func sharesPartsBesideFewMappings() throws {
        let file = try output(32 << 20)
        var writer = try ThinMetadataWriter(file)
        try writer.begin(header())
        let lengths: [UInt64] = [1, 83, 84, 251, 252, 253, 503, 504, 505, 1000]
        for (index, length) in lengths.enumerated() {
            let start = UInt64(1000 + index * 2000)
            try writer.beginShared(UInt64(index))
            try writer.map(ThinMapping(thinBlocks: start..<start + length, dataBlock: start, time: 1))
            try writer.endShared()
        }
        var number = 0
        var expected: [ThinDeviceID: UInt64] = [:]
        for part in lengths.indices {
            for own in [0, 1, 83, 84, 252, 600] as [UInt64] {
                for behind in [0, 1, 84] as [UInt64] {
                    number += 1
                    let device = try device(number)
                    try writer.beginDevice(device)
                    let start = UInt64(1000 + part * 2000)
                    if own > 0 {
                        try writer.map(ThinMapping(thinBlocks: start - own..<start, dataBlock: 50000, time: 3))
                    }
                    try writer.reference(to: UInt64(part))
                    let end = start + lengths[part]
                    if behind > 0 {
                        try writer.map(ThinMapping(thinBlocks: end..<end + behind, dataBlock: 60000, time: 4))
                    }
                    try writer.endDevice()
                    expected[device.id] = own + lengths[part] + behind
                }
            }
        }
        try writer.end()
        try check(file)
        let metadata = try ThinPoolMetadata(reading: ThinMetadataDevice(file))
        for details in try metadata.devices() {
            #expect(details.mappedBlocks == expected[details.id])
            #expect(try metadata.triples(of: details.id).count == Int(expected[details.id] ?? 0))
        }
    }

    /// A shared part that no device refers to is not counted; a block that is mapped 300 times is counted so often.
    @Test func countsReferences() throws {
        let file = try output()
        var writer = try ThinMetadataWriter(file)
        try writer.begin(header())
        for (name, block) in [(1, 10), (2, 900)] as [(UInt64, UInt64)] {
            try writer.beginShared(name)
            try writer.map(ThinMapping(thinBlocks: 0..<200, dataBlock: block, time: 0))
            try writer.endShared()
        }
        for number in 1...300 {
            try writer.beginDevice(device(number, mapped: 201))
            try writer.reference(to: 1)
            try writer.map(ThinMapping(thinBlocks: 500..<501, dataBlock: 7, time: 1))
            try writer.endDevice()
        }
        try writer.end()
        #expect(writer.corrected.isEmpty)
        try check(file)
        let superblock = try ThinPoolMetadata(reading: ThinMetadataDevice(file)).superblock
        #expect(superblock.dataUsage?.used == 201)
    }

    @Test func refusesWhatContradictsItself() throws {
        let file = try output()
        func refused(_ code: ThinMetadataWriteError.Code, _ body: (inout ThinMetadataWriter) throws -> Void) throws {
            var writer = try ThinMetadataWriter(file)
            let error = #expect(throws: ThinMetadataWriteError.self) {
                try writer.begin(header(dataBlocks: 1000))
                try body(&writer)
                try writer.end()
            }
            #expect(error?.code == code)
            #expect(!writer.isComplete)
            // Neither a pool nor zeros, from which the kernel would make one.
            let block = try ThinMetadataDevice(file).readBlock(0)
            #expect(block.contains { $0 != 0 } && !ThinPoolMetadata.hasMagic(block))
        }
        try refused(.invalid) {
            try $0.beginDevice(device(1))
            try $0.map(ThinMapping(thinBlocks: 5..<6, dataBlock: 1, time: 0))
            try $0.map(ThinMapping(thinBlocks: 5..<6, dataBlock: 2, time: 0))
        }
        try refused(.invalid) {
            try $0.beginDevice(device(1))
            try $0.map(ThinMapping(thinBlocks: 0..<2, dataBlock: 999, time: 0))
        }
        try refused(.invalid) {
            try $0.beginDevice(device(1))
            try $0.map(ThinMapping(thinBlocks: 0..<1, dataBlock: 1, time: 1 << 24))
        }
        try refused(.invalid) {
            try $0.beginDevice(device(1))
            try $0.reference(to: 9)
        }
        try refused(.invalid) {
            for _ in 1...2 {
                try $0.beginDevice(device(1))
                try $0.endDevice()
            }
        }
        try refused(.invalid) { try $0.beginDevice(device(1)) }
    }

    @Test func saysHowMuchIsNeeded() throws {
        let file = try output(100 << 10)
        var writer = try ThinMetadataWriter(file)
        let error = #expect(throws: ThinMetadataWriteError.self) {
            try writer.begin(header())
            try writer.beginDevice(device(1))
            for block in 0..<10000 as Range<UInt64> {
                try writer.map(ThinMapping(thinBlocks: 2 * block..<2 * block + 1, dataBlock: block, time: 0))
            }
            try writer.endDevice()
            try writer.end()
        }
        #expect(error?.code == .noSpace)
        let needed = try #require(error?.description.split(separator: " ").compactMap { Int($0) }.dropFirst().last)
        // With so many blocks it succeeds.
        let large = try scratch.makeSparseFile("large", size: Int64(needed) * 4096)
        writer = try ThinMetadataWriter(large)
        try writer.begin(header())
        try writer.beginDevice(device(1))
        try writer.map(ThinMapping(thinBlocks: 0..<10000, dataBlock: 0, time: 0))
        try writer.endDevice()
        try writer.end()
        try check(large)
    }
}
