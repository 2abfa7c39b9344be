import SystemPackage
import TestSupport
import Testing

@testable import ThinProvisioning

/// Changes of metadata on its own device.
struct MetadataReplacementTests {
    private let scratch: ScratchDirectory
    private let file: FilePath
    private let backup: FilePath

    init() throws {
        scratch = try ScratchDirectory()
        file = scratch.appending("metadata")
        backup = scratch.appending("backup")
        try Shell.run("xz -dc '\(ProjectFolder.path)/fixtures/thin-metadata/metadata.xz' > '\(file)'")
    }

    /// Whether the kernel takes each block of each device for shared, and where it is.
    private func answers() throws -> [ThinDeviceID: [[UInt64]]] {
        let metadata = try ThinPoolMetadata(reading: ThinMetadataDevice(file))
        return try metadata.devices().reduce(into: [:]) { answers, device in
            answers[device.id] = try metadata.triples(of: device.id).map { triple in
                [triple[0], triple[1], UInt64(device.snapshottedTime) > triple[2] ? 1 : 0]
            }
        }
    }

    @Test func renewsTheClock() throws {
        let before = try answers()
        let original = try MetadataImage(file: file).blocks
        let change = try MetadataReplacement.renewClock(of: file, backup: backup)
        #expect(change.before == 145 && change.after < 145)
        #expect(try MetadataImage(file: backup).blocks == original)
        #expect(try answers() == before)
        #expect(try ThinPoolMetadata(reading: ThinMetadataDevice(file)).superblock.time == change.after)
        try Shell.run("thin_check '\(file)'")
        // A second time changes nothing but the places.
        let again = try MetadataReplacement.renewClock(of: file, backup: scratch.appending("second"))
        #expect(again.before == change.after && again.after == change.after)
        #expect(try answers() == before)
        try Shell.run("thin_check '\(file)'")
    }

    /// Until the superblock is written, no block of the old state changes.
    @Test(arguments: [true, false]) func leavesTheOldStateUntilTheEnd(isRepair: Bool) throws {
        let before = try answers()
        let original = try MetadataImage(file: file).blocks
        if isRepair {
            try MetadataReplacement.repair(file, backup: backup, ThinMetadataRepair(file))
        } else {
            _ = try MetadataReplacement.renewClock(of: file, backup: backup)
        }
        var cut = try MetadataImage(file: file).blocks
        cut[0] = original[0]
        let written = try FileDescriptor.open(file, .writeOnly)
        try written.closeAfter { _ = try written.writeAll(cut.joined()) }
        #expect(try answers() == before)
        try Shell.run("thin_check '\(file)'")
    }

    @Test func renewsOnlyWithABackup() throws {
        try Shell.run("touch '\(backup)'")
        let original = try MetadataImage(file: file).blocks
        let error = #expect(throws: ThinMetadataWriteError.self) {
            try MetadataReplacement.renewClock(of: file, backup: backup)
        }
        #expect(error?.code == .unwritable)
        #expect(try MetadataImage(file: file).blocks == original)
    }

    @Test func keepsAllComparisons() {
        var random = SeededRandom(seed: 1)
        for _ in 0..<200 {
            let snapshots = (0..<20).map { _ in UInt32.random(in: 0..<1 << 24, using: &random) }
            let clock = RenewedClock(snapshots)
            for time in snapshots + (0..<40).map({ _ in UInt32.random(in: 0..<1 << 24, using: &random) }) {
                for snapshot in snapshots {
                    #expect((clock.renewed(snapshot) > clock.renewed(time)) == (snapshot > time))
                }
            }
            #expect(clock.now >= (snapshots.map { clock.renewed($0) }.max() ?? 0))
        }
    }

    @Test func repairsInPlace() throws {
        let before = try answers()
        var damaged = try MetadataImage(file: file).blocks
        let superblock = try ThinPoolMetadata(reading: MetadataImage(damaged)).superblock
        // Both space maps, and the superblock's checksum.
        damaged[Int(superblock.dataCounts.index)] = [UInt8](repeating: 0, count: 4096)
        damaged[Int(superblock.metadataCounts.index)] = [UInt8](repeating: 0, count: 4096)
        let written = try FileDescriptor.open(file, .writeOnly)
        try written.closeAfter { _ = try written.writeAll(damaged.joined()) }
        let repair = try ThinMetadataRepair(file)
        let devices = try MetadataReplacement.repair(file, backup: backup, repair)
        #expect(devices.allSatisfy { $0.lostBlocks == 0 })
        #expect(try answers() == before)
        #expect(try MetadataImage(file: backup).blocks == damaged)
        try Shell.run("thin_check '\(file)'")
    }

    @Test func clearsNeedsCheck() throws {
        struct Finding: Error {}
        #expect(try !MetadataReplacement.clearNeedsCheck(of: file) { _ in })
        var blocks = try MetadataImage(file: file).blocks
        blocks[0].put(UInt32(1), at: 4)
        blocks[0].seal(.superblock)
        let written = try FileDescriptor.open(file, .writeOnly)
        try written.closeAfter { _ = try written.writeAll(blocks.joined()) }
        #expect(throws: Finding.self) { try MetadataReplacement.clearNeedsCheck(of: file) { _ in throw Finding() } }
        #expect(try MetadataImage(file: file).blocks == blocks)
        #expect(try MetadataReplacement.clearNeedsCheck(of: file) { _ in })
        blocks[0].put(UInt32(0), at: 4)
        blocks[0].seal(.superblock)
        #expect(try MetadataImage(file: file).blocks == blocks)
    }
}
