import DeviceMapper
import Testing

/// A program that uses the library makes the library's answers in its own tests.
///
/// Nothing here is imported for tests.
@Suite struct AnswerTests {
    private func number(_ minor: UInt32) throws -> DeviceNumber {
        try #require(DeviceNumber(major: 254, minor: minor))
    }

    @Test func devices() throws {
        let (name, uuid) = (try DeviceName("disk"), try DeviceUUID("EXAMPLE-1"))
        let device = DeviceInformation(
            name: name, uuid: uuid, number: try number(3), openCount: 2, eventNumber: 5, targetCount: 4,
            isSuspended: true, isReadOnly: true, hasActiveTable: false, hasInactiveTable: true, isRemovalDeferred: true,
            isInternallySuspended: true)
        #expect(device.reference == .uuid(uuid))
        #expect((device.openCount, device.eventNumber, device.targetCount) == (2, 5, 4))
        #expect(device.isSuspended && device.isReadOnly && device.hasInactiveTable && device.isRemovalDeferred)
        #expect(!device.hasActiveTable && device.isInternallySuspended)
        // A device that is in use and has one target, unless something else is said.
        let usual = DeviceInformation(name: name, number: try number(3))
        #expect(usual.hasActiveTable && !usual.isSuspended && usual.uuid == nil && usual.targetCount == 1)

        let entry = DeviceListEntry(name: name, number: try number(3), eventNumber: 5, uuid: uuid)
        #expect((entry.eventNumber, entry.uuid) == (5, uuid))
        let change = DeviceChange(.renamed(from: try DeviceName("old")), entry)
        #expect(change.device == entry)
    }

    @Test func lines() throws {
        let version = InterfaceVersion(major: 1, minor: 2, patch: 3)
        #expect(TargetVersion(name: "zero", version: version).version == version)
        let line = TargetLine(start: 0, length: 8, type: "zero", text: "")
        #expect(line.description == "0 8 zero ")
        let status = TargetLine(start: 0, length: 8, type: "snapshot", text: "16/1024 8").status(
            as: SnapshotStatus.self)
        #expect(status != nil)
    }

    @Test func statistics() {
        let region = StatisticsRegion(
            id: 1, range: 0..<1024, areaLength: 128, program: "test", note: "-", isPrecise: true, boundaries: [1, 2])
        #expect((region.id, region.areaLength, region.boundaries) == (1, 128, [1, 2]))
        #expect(region.isPrecise && region.range.upperBound == 1024 && region.program == "test" && region.note == "-")
        let reads = StatisticsCounters.Requests(completed: 1, merged: 2, sectors: 3, time: 4)
        let writes = StatisticsCounters.Requests(completed: 5, merged: 6, sectors: 7, time: 8)
        let counters = StatisticsCounters(
            range: 0..<128, reads: reads, writes: writes, underWay: 9, busyTime: 10, weightedTime: 11, readTime: 12,
            writeTime: 13, histogram: [14])
        #expect((counters.reads, counters.writes, counters.range.upperBound) == (reads, writes, 128))
        #expect((counters.underWay, counters.busyTime, counters.weightedTime) == (9, 10, 11))
        #expect((counters.readTime, counters.writeTime, counters.histogram) == (12, 13, [14]))
        #expect((reads.completed, reads.merged, reads.sectors, reads.time) == (1, 2, 3, 4))
    }

    @Test func udev() {
        let cookie = UdevCookieState(value: 0x0D4D_0001, identifier: 2, count: 3, operated: 4, changed: 5)
        #expect((cookie.value, cookie.identifier, cookie.count) == (0x0D4D_0001, 2, 3))
        #expect((cookie.operated, cookie.changed) == (4, 5))
    }

    /// A status that is made is the same as the one that is read from the kernel's line.
    @Test func statuses() throws {
        let cache = CacheState(
            metadataBlockSize: 8, metadata: Share(used: 1, total: 2), blockSize: 128, cache: Share(used: 3, total: 4),
            reads: CacheState.Requests(hits: 5, misses: 6), writes: CacheState.Requests(hits: 7, misses: 8),
            demotions: 9, promotions: 10, dirty: 11, features: ["writeback"], policy: "smq", isReadOnly: false,
            needsCheck: false)
        let line = "8 1/2 128 3/4 5 6 7 8 9 10 11 1 writeback 0 smq 0 rw -"
        let cacheLine = TargetLine(start: 0, length: 8, type: "cache", text: line)
        #expect(cacheLine.status(as: CacheStatus.self) == .available(cache))
        let clone = CloneState(
            metadataBlockSize: 8, metadata: Share(used: 1, total: 2), region: 16, hydrated: Share(used: 3, total: 4),
            hydrating: 5, isReadOnly: false)
        let cloneLine = TargetLine(start: 0, length: 8, type: "clone", text: "8 1/2 16 3/4 5 0 0 rw")
        #expect(cloneLine.status(as: CloneStatus.self) == .available(clone))
        let path = MultipathStatus.Path(
            device: .number(try number(1)), isActive: true, failures: 2, selectorStatus: ["3"])
        let group = MultipathStatus.PriorityGroup(state: .active, paths: [path])
        #expect((group.paths, path.failures, path.isActive) == ([path], 2, true))
    }
}
