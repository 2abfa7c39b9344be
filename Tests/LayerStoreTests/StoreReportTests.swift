import LayerStore
import SystemPackage
import Testing
import ThinProvisioning

/// A program that uses the library makes the library's answers in its own tests.
///
/// Nothing here is imported for tests.
@Suite struct StoreReportTests {
    private func device() throws -> ThinDeviceID { try #require(ThinDeviceID(7)) }

    @Test func layers() throws {
        let id = try LayerID("layer")
        let record = LayerRecord(deviceID: try device(), size: 1 << 30, transactionID: 2, parent: "base", created: 3)
        #expect(!record.isDeleted && record.parent == "base")
        let details = LayerDetails(
            id: id, record: record, deviceName: "name", devicePath: "/dev/dm-1", mountPath: "/mnt", mappedBytes: 4)
        #expect((details.record, details.mappedBytes, details.deviceName) == (record, 4, "name"))
        let snapshot = ActiveSnapshot(record: record, devicePath: "/dev/dm-1")
        #expect(snapshot.devicePath == "/dev/dm-1")
        let user = LayerUser(kind: .process, processID: 1, name: "sleep", path: "/rootfs", description: "a process")
        #expect((user.processID, user.name, user.description) == (1, "sleep", "a process"))
        #expect(LayerOwner(user: 1, group: 2) == LayerOwner("1:2"))
        let growth = PoolGrowth(
            data: PoolGrowth.Change(before: 1, now: 2), metadata: PoolGrowth.Change(before: 3, now: 4))
        #expect((growth.data.now, growth.metadata.before) == (2, 3))
        let trim = TrimReport(layers: [TrimReport.Layer(id: id, bytes: 5)], endedRemovals: 6, waitingRemovals: 7)
        #expect((trim.layers.map(\.bytes), trim.endedRemovals, trim.waitingRemovals, trim.fileBytes) == ([5], 6, 7, 0))
    }

    @Test func findings() {
        let finding = StoreFinding(
            kind: .orphanDevice, severity: .error, subject: "device 7", message: "a message", advice: "an advice",
            isRepairable: true)
        let report = StoreReport(findings: [finding], layerCount: 1, thinDeviceCount: 2, isPoolActive: true)
        #expect((report.findings.map(\.subject), report.layerCount, report.repaired) == (["device 7"], 1, []))
        #expect(LayerStoreError(.busy, "it is in use").code == .busy)
        let event = PoolEvent(kind: .warning, time: 1, message: "a message")
        #expect((event.kind, event.time, event.state) == (.warning, 1, nil))
    }

    @Test func space() throws {
        let (id, number) = (try LayerID("layer"), try device())
        let space = LayerSpace(mapped: 3, exclusive: 1, shared: 2)
        let report = SpaceReport(layers: [id: space], unknown: [number: space], size: 10, used: 4, shared: 2)
        #expect((report.layers[id], report.unknown[number], report.removed) == (space, space, [:]))
        let share = LayerSpaceReport.Share(device: number, layer: id, bytes: 2)
        let layer = LayerSpaceReport(id: id, size: 10, space: space, sharedWith: [share], filesystemUse: 5)
        #expect((layer.sharedWith.map(\.bytes), layer.filesystemUse) == ([2], 5))
    }

    @Test func pools() {
        let usage = BlockUsage(used: 1, total: 2, bytesPerBlock: 4096)
        let file = FileSpace(path: "/data", size: 1, allocated: 2, diskFree: 3, diskSize: 4)
        let lost = LostPoolFile(path: "/data", device: "/dev/loop0", isReplaced: true)
        let report = PoolReport(
            root: "/root", name: "pool", isForeign: false, isMadeElsewhere: false, condition: .readWrite,
            isSuspended: false, needsCheck: false, isReadOnlyByRequest: false, blockSize: 65536,
            data: PoolReport.Space(device: "/dev/loop0", usage: usage, file: file),
            metadata: PoolReport.Space(usage: usage), minimumFreeSpacePercent: 10, errorIfNoSpace: false,
            zeroesNewBlocks: true, isPassdownWanted: true, lostFiles: [lost], deviceCount: 3)
        #expect((report.data.usage, report.data.file, report.deviceCount) == (usage, file, 3))
        #expect(report.lostFiles == [lost] && report.condition == .readWrite)
        let problem = PoolProblem("a summary", [PoolProblem.Step("a text", "a command")])
        #expect(problem.steps.map(\.command) == ["a command"])
        let use = StoreStatus.SpaceUsage(used: 1, total: 2, available: 1)
        let status = StoreStatus(
            poolName: "pool", blockSize: 65536, baseSize: 1 << 30, filesystem: .ext4, dataDevice: "/dev/loop0",
            metadataDevice: "/dev/loop1", isForeignPool: false, data: use, metadata: use, minimumFree: 0,
            defersRemoval: true, defersDeletion: true, deferredDeletions: 2, mode: .readWrite, needsCheck: false,
            zeroesNewBlocks: true)
        #expect((status.poolName, status.data.available, status.deferredDeletions) == ("pool", 1, 2))
    }
}
