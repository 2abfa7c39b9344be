import Testing

@testable import DeviceMapper

/// Status lines as kernels print them, and what they say.
struct TargetStatusTests {
    private func line(_ type: String, _ text: String) -> TargetLine {
        TargetLine(start: 0, length: 8, type: type, text: text)
    }

    @Test func readsStripes() throws {
        let status = try #require(line("striped", "2 7:0 7:1 1 AD").status(as: StripedStatus.self))
        #expect(status.devices == [TargetDevice("7:0"), TargetDevice("7:1")])
        #expect(status.isAlive == [true, false])
        #expect(line("striped", "2 7:0 7:1 1 A").status(as: StripedStatus.self) == nil)
        #expect(line("linear", "2 7:0 7:1 1 AA").status(as: StripedStatus.self) == nil)
    }

    @Test(arguments: [
        ("16/1024 16", SnapshotStatus.active(allocated: 16, total: 1024, metadata: 16)),
        ("16/1024", .active(allocated: 16, total: 1024, metadata: nil)), ("Invalid", .invalid),
        ("Overflow", .overflow), ("Merge failed", .mergeFailed), ("Unknown", .unknown),
    ])
    func readsSnapshots(text: String, status: SnapshotStatus) {
        #expect(line("snapshot", text).status(as: SnapshotStatus.self) == status)
        #expect(line("snapshot-merge", text).status(as: SnapshotStatus.self) == status)
    }

    @Test func readsTargetsForTests() {
        let dust = line("dust", "7:0 fail_read_on_bad_block verbose").status(as: DustStatus.self)
        #expect(dust?.failsReads == true && dust?.isQuiet == false)
        #expect(line("dust", "7:0 bypass").status(as: DustStatus.self)?.failsReads == false)
        let log = line("log-writes", "12 345").status(as: LogWritesStatus.self)
        #expect(log?.entries == 12 && log?.highestSector == 345 && log?.isStopped == false)
        #expect(line("log-writes", "12 345 logging_disabled").status(as: LogWritesStatus.self)?.isStopped == true)
    }

    @Test func readsRedundancy() throws {
        let raid = try #require(line("raid", "raid1 2 AD 128/1024 recover 7 0 -").status(as: RaidStatus.self))
        #expect(raid.health == [.inSync, .failed] && raid.progress == Share(used: 128, total: 1024))
        #expect(raid.action == "recover" && raid.mismatches == 7 && raid.dataOffset == 0)
        #expect(line("raid", "raid1 3 AD 128/1024 recover 7 0 -").status(as: RaidStatus.self) == nil)
        let mirror = try #require(line("mirror", "2 7:0 7:1 5/8 1 AD 3 disk 7:2 A").status(as: MirrorStatus.self))
        #expect(mirror.health == [.alive, .writeFailed] && mirror.log == ["disk", "7:2", "A"])
        let paths = try #require(
            line("multipath", "2 1 3 0 2 1 A 0 2 2 8:0 A 0 0 1 8:16 F 4 0 1 E 0 1 2 8:32 A 0 0 1")
                .status(as: MultipathStatus.self))
        #expect(paths.isQueueing && paths.initialisations == 3 && paths.nextGroup == 1)
        #expect(paths.groups.map(\.state) == [.active, .enabled])
        #expect(paths.groups[0].paths.map(\.isActive) == [true, false])
        #expect(paths.groups[0].paths[1].failures == 4 && paths.groups[0].paths[1].selectorStatus == ["0", "1"])
        #expect(line("multipath", "2 0 0 0 9 1 A 0 1 0 8:0 A 0").status(as: MultipathStatus.self) == nil)
    }

    @Test func readsCaches() throws {
        let text =
            "8 27/4096 128 15/64 1 2 3 4 5 6 7 2 metadata2 writeback 2 migration_threshold 2048 smq 0 rw needs_check"
        guard case .available(let cache)? = line("cache", text).status(as: CacheStatus.self) else {
            Issue.record("it is not read")
            return
        }
        #expect(cache.cache == Share(used: 15, total: 64) && cache.dirty == 7 && cache.needsCheck && !cache.isReadOnly)
        #expect(cache.reads.misses == 2 && cache.writes.hits == 3 && cache.policy == "smq")
        #expect(
            cache.features == ["metadata2", "writeback"] && cache.coreArguments == ["migration_threshold", "2048"])
        #expect(line("cache", "Fail").status(as: CacheStatus.self) == .failed)
        #expect(line("cache", "8 27/4096 128").status(as: CacheStatus.self) == nil)
        let writes = line("writecache", "0 100 90 1 7 7 7").status(as: WriteCacheStatus.self)
        #expect(writes?.freeBlocks == 90 && writes?.counters == [7, 7, 7])
        let state = line("clone", "8 1/512 8 3/128 1 1 no_hydration 4 hydration_threshold 1 hydration_batch_size 1 rw")
        guard case .available(let clone)? = state.status(as: CloneStatus.self) else {
            Issue.record("it is not read")
            return
        }
        #expect(clone.hydrated == Share(used: 3, total: 128) && clone.hydrating == 1 && !clone.isReadOnly)
        #expect(
            line("era", "8 5/256 2 -").status(as: EraStatus.self)
                == .available(
                    metadataBlockSize: 8, metadata: Share(used: 5, total: 256), era: 2, heldMetadataRoot: nil))
        #expect(line("era", "Error").status(as: EraStatus.self) == .failed)
        let vdo = line("vdo", "/dev/loop0 normal - online online 27 1024").status(as: VDOStatus.self)
        #expect(vdo?.blocks == Share(used: 27, total: 1024) && vdo?.compresses == true && vdo?.isRecovering == false)
    }

    @Test func readsIntegrity() {
        #expect(line("verity", "V").status(as: VerityStatus.self)?.isValid == true)
        #expect(line("verity", "C").status(as: VerityStatus.self)?.isValid == false)
        #expect(line("verity", "X").status(as: VerityStatus.self) == nil)
        let status = line("integrity", "3 1000 512").status(as: IntegrityStatus.self)
        #expect(status?.mismatches == 3 && status?.dataSectors == 1000 && status?.recalculated == 512)
        #expect(line("integrity", "0 1000 -").status(as: IntegrityStatus.self)?.recalculated == nil)
    }
}
