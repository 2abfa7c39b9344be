import DeviceMapper
import Testing
import ThinProvisioning

/// A program that uses the library makes the library's answers in its own tests.
///
/// Nothing here is imported for tests.
@Suite struct ThinAnswerTests {
    private func device() throws -> ThinDeviceID { try #require(ThinDeviceID(7)) }

    /// A status that is made is the same as the one that is read from the kernel's line.
    @Test func statuses() {
        let state = ThinPoolState(
            transactionID: 1, metadata: BlockUsage(used: 2, total: 3, bytesPerBlock: 4096),
            data: BlockUsage(used: 4, total: 5, bytesPerBlock: 65536), mode: .readWrite, discards: .passedDown,
            errorIfNoSpace: false, needsCheck: false, metadataLowWaterMark: 1024)
        #expect((state.data.used, state.data.total, state.data.bytesPerBlock) == (4, 5, 65536))
        #expect((state.transactionID, state.metadata.used, state.mode) == (1, 2, .readWrite))
        #expect(state.heldMetadataRoot == nil && state.metadataLowWaterMark == 1024)
    }

    @Test func reports() throws {
        let id = try device()
        let superblock = ThinPoolSuperblock(
            transactionID: 1, flags: 1, blockSize: 128, time: 2, heldRoot: 3,
            dataUsage: ThinPoolSuperblock.Usage(total: 4, used: 5),
            metadataUsage: ThinPoolSuperblock.Usage(total: 6, used: 7))
        #expect(superblock.needsCheck && superblock.uuid == [UInt8](repeating: 0, count: 16))
        #expect((superblock.dataUsage?.used, superblock.metadataUsage?.total) == (5, 6))
        let finding = ThinMetadataFinding(.clock, .note, "a message", devices: [id])
        let count = ThinMetadataReport.WrongCount(block: 1, stored: 2, real: 3)
        let report = ThinMetadataReport(
            superblock: superblock, findings: [finding], wrongDataCounts: [count], overcounted: 4, deviceCount: 5,
            nodeCount: 6)
        #expect(report.findings.map(\.message) == ["a message"])
        #expect((report.wrongDataCounts.map(\.real), report.deviceCount, report.nodeCount) == ([3], 5, 6))
        let delta = ThinDelta(kind: .leftOnly, thinBlocks: 0..<8, leftDataBlock: 9)
        #expect((delta.leftDataBlock, delta.rightDataBlock) == (9, nil))
        let sharing = ThinDeviceSharing(mapped: 1, exclusive: 2, others: [id: 3])
        #expect((sharing.mapped, sharing.exclusive, sharing.others) == (1, 2, [id: 3]))
        let owner = ThinDataOwner(dataBlocks: 0..<2, device: id, thinBlock: 3)
        #expect((owner.device, owner.thinBlock, owner.dataBlocks) == (id, 3, 0..<2))
    }

    @Test func maps() throws {
        let part = ThinDataMap.Part(dataBlocks: 0..<10, shared: 2, exclusive: [try device(): 3])
        #expect(part.free == 5)
        let thin = ThinDataMap.Device(id: try device(), mapped: 5, exclusive: 3, pieces: 1)
        #expect(thin.shared == 2)
        let map = ThinDataMap(
            parts: [part], devices: [thin], dataBlocks: 10, shared: 2, free: 5, freeRuns: 1, longestFreeRun: 4)
        #expect((map.parts, map.devices, map.longestFreeRun) == ([part], [thin], 4))
    }

    @Test func changes() throws {
        let lost = ThinMetadataRepair.Device(id: try device(), mappedBlocks: 1, lostBlocks: 2)
        #expect((lost.mappedBlocks, lost.lostBlocks) == (1, 2))
        let clock = MetadataReplacement.ClockChange(before: 3, after: 1)
        #expect((clock.before, clock.after) == (3, 1))
    }

    @Test func errors() {
        #expect(ThinMetadataError(.notAPool, block: 3, "no pool").code == .notAPool)
        #expect(ThinMetadataWriteError(.inUse, "in use").code == .inUse)
        #expect("\(ThinMetadataDocumentError(line: 3, "no XML"))".contains("no XML"))
    }
}
