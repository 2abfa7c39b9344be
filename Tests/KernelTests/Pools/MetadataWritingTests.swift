import DeviceMapper
import Glibc
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

/// Metadata that was written without the kernel: the kernel activates it, and every device reads as before.
struct MetadataWritingTests {
    private let fixture: DMFixture
    private let disk: DeviceNumber
    private let data: DeviceNumber
    private let metadata: FilePath

    init() throws {
        fixture = try DMFixture()
        disk = try fixture.disk("metadata", size: 4 << 20)
        data = try fixture.disk("data")
        metadata = FilePath("/dev/loop\(disk.minor)")
    }

    private func id(_ number: Int) throws -> ThinDeviceID { try #require(ThinDeviceID(number)) }

    /// Activates the pool on a metadata device for as long as `body` runs.
    private func withPool<Result>(_ metadata: DeviceNumber, _ body: (ThinPool) throws -> Result) throws -> Result {
        let device = try fixture.device("pool", "0 131072 thin-pool \(metadata) \(data) 128 0 1 skip_block_zeroing")
        let pool = try ThinPool(fixture.control, open: .name(fixture.name("pool")))
        let result = try body(pool)
        try fixture.removeClosed(device.number)
        return result
    }

    private func withDevice<Result>(
        _ number: Int, of pool: ThinPool, _ body: (FilePath) throws -> Result
    ) throws -> Result {
        let device = try pool.activate(
            id(number), name: fixture.name("thin"), uuid: nil, length: Sectors(wholeSectorsIn: 64 << 20))
        let result = try body(FilePath("/dev/dm-\(device.number.minor)"))
        try fixture.removeClosed(device.number)
        return result
    }

    private func write(_ blocks: some Sequence<Int>, _ byte: UInt8, to number: Int, of pool: ThinPool) throws {
        try withDevice(number, of: pool) { path in
            let file = try FileDescriptor.open(path, .writeOnly)
            for block in blocks {
                try file.writeAll(
                    toAbsoluteOffset: Int64(block) << 16, [UInt8](repeating: byte &+ UInt8(block % 7), count: 4096))
            }
            #expect(fsync(file.rawValue) == 0)
            try file.close()
        }
    }

    private func content(_ number: Int, of pool: ThinPool) throws -> String {
        try withDevice(number, of: pool) { try Shell.run("dd if=\($0) bs=1M iflag=direct status=none | md5sum") }
    }

    private func contents(_ pool: ThinPool) throws -> [String] { try (1...4).map { try content($0, of: pool) } }

    /// Makes a pool with devices that share blocks.
    private func make() throws -> [String] {
        try withPool(disk) { pool in
            try pool.createDevice(id(1))
            try write(stride(from: 0, to: 600, by: 2), 1, to: 1, of: pool)
            try pool.createSnapshot(id(2), of: id(1))
            try write(100..<140, 50, to: 2, of: pool)
            try pool.createSnapshot(id(3), of: id(2))
            try write(130..<150, 90, to: 1, of: pool)
            try pool.createSnapshot(id(4), of: id(1))
            return try contents(pool)
        }
    }

    /// The devices read as before, and a block that several share is copied when one of them changes it.
    private func requireAll(_ before: [String], on metadata: DeviceNumber) throws {
        try withPool(metadata) { pool in
            #expect(try contents(pool) == before)
            try write([0, 104, 132, 148, 400], 200, to: 4, of: pool)
            try write([2, 106, 134], 201, to: 2, of: pool)
            #expect(try content(1, of: pool) == before[0])
            #expect(try content(3, of: pool) == before[2])
            try pool.createSnapshot(id(9), of: id(1))
            try write([0, 104], 202, to: 9, of: pool)
            #expect(try content(1, of: pool) == before[0])
            guard case .available(let state) = try pool.status(flushing: true) else {
                Issue.record("the pool has failed")
                return
            }
            #expect(!state.needsCheck)
        }
    }

    @Test func activatesARestoredPool() throws {
        let before = try make()
        let xml = fixture.scratch.appending("xml")
        // Not from a copy: thin_dump cannot read a file in memory.
        try Shell.run("thin_dump \(metadata) > '\(xml)'")
        let copy = try fixture.disk("restored", size: 4 << 20)
        var writer = try ThinMetadataWriter(FilePath("/dev/loop\(copy.minor)"))
        let document = try FileDescriptor.open(xml, .readOnly)
        try document.closeAfter {
            var reader = ThinMetadataDocumentReader(document)
            try reader.read(into: &writer)
        }
        try requireAll(before, on: copy)
    }

    /// A pool that the kernel has active is not written to.
    @Test func refusesADeviceInUse() throws {
        try withPool(disk) { _ in
            let error = #expect(throws: ThinMetadataWriteError.self) { _ = try ThinMetadataWriter(metadata) }
            #expect(error?.code == .inUse)
        }
    }

    @Test func activatesARepairedPool() throws {
        let before = try make()
        try Shell.run("dd if=/dev/urandom of=\(metadata) bs=4k count=1 oflag=direct status=none")
        let copy = try fixture.disk("repaired", size: 4 << 20)
        let repair = try ThinMetadataRepair(metadata, overrides: .init(blockSectors: 128, dataBlocks: 1024))
        let devices = try repair.write(to: FilePath("/dev/loop\(copy.minor)"))
        #expect(devices.allSatisfy { $0.lostBlocks == 0 })
        try requireAll(before, on: copy)
    }

    @Test func activatesAPoolWithANewClock() throws {
        let before = try make()
        _ = try MetadataReplacement.renewClock(of: metadata, backup: fixture.scratch.appending("backup"))
        try requireAll(before, on: disk)
    }
}
