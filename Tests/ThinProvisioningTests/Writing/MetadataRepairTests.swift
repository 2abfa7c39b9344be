import FoundationEssentials
import SystemPackage
import TestSupport
import Testing

@testable import ThinProvisioning

/// Repair of the metadata that the kernel has written, with random damage in it, beside thin_repair 1.1.0 where it is in .cache.
///
/// `REPAIR_ROUNDS` is the number of damaged pools; a round is known by its number, which is the seed of its damage.
struct MetadataRepairTests {
    private static let tools = ProjectFolder.path.appending(".cache/thin-provisioning-tools-1.1.0/usr/sbin")
    private static let hasTools = (try? Stat(tools)) != nil
    private static let rounds = Int(ProcessInfo.processInfo.environment["REPAIR_ROUNDS"] ?? "") ?? 12

    private let scratch: ScratchDirectory
    private let blocks: [[UInt8]]

    init() throws {
        scratch = try ScratchDirectory()
        let file = scratch.appending("original")
        try Shell.run("xz -dc '\(ProjectFolder.path)/fixtures/thin-metadata/metadata.xz' > '\(file)'")
        blocks = try MetadataImage(file: file).blocks
    }

    private func write(_ blocks: [[UInt8]], _ name: String = "damaged") throws -> FilePath {
        let path = scratch.appending(name)
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
        try file.closeAfter { for block in blocks { _ = try file.writeAll(block) } }
        return path
    }

    private func mappings(in file: FilePath) throws -> [ThinDeviceID: [ThinMapping]] {
        let metadata = try ThinPoolMetadata(reading: ThinMetadataDevice(file))
        return try metadata.devices().reduce(into: [:]) { devices, device in
            var runs: [ThinMapping] = []
            try metadata.mappings(of: device.id) { runs.append($0) }
            devices[device.id] = runs
        }
    }

    /// The data block of each thin block.
    private func blocks(_ runs: [ThinMapping]) -> [UInt64: UInt64] {
        runs.reduce(into: [:]) { blocks, run in
            for block in run.thinBlocks { blocks[block] = run.dataBlock + block - run.thinBlocks.lowerBound }
        }
    }

    @Test func keepsWhatIsWhole() throws {
        let copy = try scratch.makeSparseFile("copy", size: 4 << 20)
        let original = scratch.appending("original")
        let repair = try ThinMetadataRepair(original)
        let devices = try repair.write(to: copy)
        #expect(repair.isCurrent && repair.isWhole && devices.allSatisfy { $0.lostBlocks == 0 })
        try Shell.run(
            "thin_check '\(copy)' && thin_dump '\(original)' > a && thin_dump '\(copy)' | cmp - a; rm a"
                .replacing(" a", with: " '\(scratch.path)/a'"))
    }

    /// Without the superblock, the size of a block must be given; then everything is there.
    @Test func findsTheRoots() throws {
        var damaged = blocks
        damaged[0] = [UInt8](repeating: 0, count: 4096)
        let file = try write(damaged)
        let error = #expect(throws: ThinMetadataWriteError.self) { try ThinMetadataRepair(file) }
        #expect(error?.code == .notRepairable)
        let copy = try scratch.makeSparseFile("copy", size: 4 << 20)
        try ThinMetadataRepair(file, overrides: .init(blockSectors: 128)).write(to: copy)
        try Shell.run("thin_check '\(copy)'")
        #expect(try mappings(in: copy) == mappings(in: scratch.appending("original")))
    }

    /// A node of one device is lost, and nothing older is whole: the device loses it, and the answer says how much.
    @Test func namesWhatIsLost() throws {
        let metadata = try ThinPoolMetadata(reading: MetadataImage(blocks))
        let id = try #require(ThinDeviceID(16_777_215))
        var damaged = blocks
        damaged[Int(try metadata.mappingTree(of: id).root)] = [UInt8](repeating: 0, count: 4096)
        // Nothing but what the superblock leads to.
        let used = try usedBlocks(metadata)
        for block in damaged.indices where !used.contains(UInt64(block)) {
            damaged[block] = [] + Array(repeating: 0, count: 4096)
        }
        let copy = try scratch.makeSparseFile("copy", size: 4 << 20)
        let repair = try ThinMetadataRepair(write(damaged))
        let devices = try repair.write(to: copy)
        #expect(devices.filter { $0.lostBlocks > 0 } == [.init(id: id, mappedBlocks: 0, lostBlocks: 3)])
        try Shell.run("thin_check '\(copy)'")
        var expected = try mappings(in: scratch.appending("original"))
        expected[id] = nil
        #expect(try mappings(in: copy) == expected)
    }

    private func usedBlocks(_ metadata: ThinPoolMetadata) throws -> Set<UInt64> {
        var counts = try ReferenceCounts(.metadata, metadata.superblock.metadataCounts, from: metadata.blocks)
        return try Set(
            (0..<UInt64(blocks.count)).filter { block in
                if case .free = try counts.count(of: block) { return false }
                return true
            })
    }

    @Test func refusesToWriteOverTheInput() throws {
        let file = try write(blocks)
        let error = #expect(throws: ThinMetadataWriteError.self) { try ThinMetadataRepair(file).write(to: file) }
        #expect(error?.code == .invalid)
        #expect(try MetadataImage(file: file).blocks == blocks)
    }

    /// Flipped bits, lost and exchanged blocks, with a right checksum or a wrong one.
    private func damage(_ random: inout SeededRandom) -> [[UInt8]] {
        var damaged = blocks
        let used = blocks.indices.filter { blocks[$0].contains { $0 != 0 } }
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            guard let block = used.randomElement(using: &random) else { continue }
            switch Int.random(in: 0..<4, using: &random) {
            case 0: damaged[block] = [UInt8](repeating: 0, count: 4096)
            case 1:
                if let other = used.randomElement(using: &random) { damaged.swapAt(block, other) }
            default:
                let kinds: [MetadataBlock.Kind] = [.superblock, .node, .bitmap, .index]
                let kind = kinds.first { (try? MetadataBlock(blocks[block], UInt64(block), $0)) != nil }
                let offset = Bool.random(using: &random) ? Int.random(in: 4..<64, using: &random) : 4095
                damaged[block][Bool.random(using: &random) ? offset : Int.random(in: 0..<4096, using: &random)] ^=
                    UInt8(1) << UInt8.random(in: 0..<8, using: &random)
                if let kind, Bool.random(using: &random) { damaged[block].seal(kind) }
            }
        }
        return damaged
    }

    @Test(.enabled(if: hasTools), arguments: 0..<rounds)
    func savesWhatThinRepairSaves(round: Int) throws {
        var random = SeededRandom(seed: UInt64(round))
        let file = try write(damage(&random))
        let theirs = try scratch.makeSparseFile("theirs", size: 32 << 20)
        let ours = try scratch.makeSparseFile("ours", size: 32 << 20)
        let (status, _) = try Shell.runForStatus("'\(Self.tools)/thin_repair' -i '\(file)' -o '\(theirs)'")
        do {
            try ThinMetadataRepair(file).write(to: ours)
            try Shell.run("thin_check '\(ours)' && '\(Self.tools)/thin_check' '\(ours)'")
        } catch let error as ThinMetadataWriteError {
            #expect(status != 0, "round \(round): \(error)")
            return
        }
        guard status == 0 else { return }
        let (saved, expected) = (try mappings(in: ours), try mappings(in: theirs))
        for (id, runs) in expected {
            let own = try #require(saved[id], "round \(round): device \(id)")
            guard own != runs else { continue }
            let found = blocks(own)
            #expect(blocks(runs).allSatisfy { found[$0.key] == $0.value }, "round \(round): device \(id)")
        }
    }
}
