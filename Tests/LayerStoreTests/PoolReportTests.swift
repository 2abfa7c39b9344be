import DeviceMapper
import SystemPackage
import Testing
import ThinProvisioning

@testable import LayerStore

/// The problems and steps in the report on a pool.
@Suite struct PoolReportTests {
    private let gigabyte: UInt64 = 1 << 30

    /// A pool on two files of 10 GiB and 64 MiB.
    private func report(
        _ condition: PoolReport.Condition = .readWrite,
        status: String = "0 1000/16384 1000/163840 - rw discard_passdown "
            + "queue_if_no_space - 1024", root: FilePath = "/var/lib/dmlayer", refusal: String? = nil,
        isSuspended: Bool = false, isReadOnlyByRequest: Bool = false, isForeign: Bool = false, hasFiles: Bool = true,
        allocated: UInt64 = 100 << 20, diskFree: UInt64 = 50 << 30, snapshots: UInt32 = 0,
        zeroesNewBlocks: Bool = false, noSpaceTimeout: UInt64? = 60, hasTimedOut: Bool = false,
        lostFiles: [LostPoolFile] = []
    ) throws -> PoolReport {
        var state: ThinPoolState?
        if case .available(let available) = try ThinPoolStatus(parsing: status, blockSize: 128) { state = available }
        func file(_ name: String, _ size: UInt64, _ allocated: UInt64) -> FileSpace? {
            guard hasFiles else { return nil }
            return FileSpace(
                path: root.appending("devicemapper").appending(name), size: size, allocated: allocated,
                diskFree: diskFree, diskSize: 100 << 30)
        }
        return PoolReport(
            root: root, name: "docker-8:1-2-pool", device: "/dev/dm-0", isForeign: isForeign,
            isMadeElsewhere: isForeign, condition: condition,
            refusal: refusal, isSuspended: isSuspended, needsCheck: state?.needsCheck ?? false,
            isReadOnlyByRequest: isReadOnlyByRequest, blockSize: 65536,
            data: .init(device: "/dev/loop0", usage: state?.data, file: file("data", 10 << 30, allocated)),
            metadata: .init(device: "/dev/loop1", usage: state?.metadata, file: file("metadata", 64 << 20, 64 << 20)),
            lowWaterMark: 2 << 30, minimumFreeSpacePercent: 10, errorIfNoSpace: state?.errorIfNoSpace ?? false,
            hasTimedOut: hasTimedOut, zeroesNewBlocks: zeroesNewBlocks, noSpaceTimeout: noSpaceTimeout,
            discards: state?.discards, isPassdownWanted: true,
            lostFiles: lostFiles,
            deviceCount: 3,
            snapshotCount: snapshots)
    }

    private func commands(_ report: PoolReport) -> [String] {
        report.problems.flatMap(\.steps).compactMap(\.command)
    }

    @Test func findsNothingWrongWithASoundPool() throws {
        #expect(try report().problems == [])
    }

    @Test func saysHowMetadataIsCheckedAndRepaired() throws {
        let status = "0 1000/16384 1000/163840 - ro discard_passdown queue_if_no_space needs_check 1024"
        let file = "'/a b'\\''c/devicemapper/metadata"
        #expect(
            try commands(report(.readOnly, status: status, root: "/a b'c")) == [
                "dmlayer --root '/a b'\\''c' shutdown",
                "cp --sparse=always \(file)' \(file).before-repair'",
                "dmlayer metadata check \(file)'",
                "dmlayer metadata check --clear-needs-check \(file)'",
                "truncate --reference=\(file).before-repair' \(file).repaired' && dmlayer metadata repair "
                    + "--input \(file).before-repair' --output \(file).repaired' && dd if=\(file).repaired' of=\(file)' bs=1M "
                    + "conv=notrunc,fsync",
                "dmlayer --root '/a b'\\''c' pool status",
            ])
        let device = try commands(report(.readOnly, status: status, hasFiles: false))
        #expect(
            device.contains("dd if=/dev/loop1 of=/var/tmp/docker-8:1-2-pool-metadata.before-repair bs=1M conv=sparse"))
        #expect(try commands(report(.readOnly, status: status, isForeign: true)) == ["dmlayer shutdown"])
    }

    @Test func tellsApartWhyAPoolTakesNoChanges() throws {
        let status = "0 1000/16384 1000/163840 - ro discard_passdown queue_if_no_space - 1024"
        let full = "0 16384/16384 1000/163840 - ro discard_passdown queue_if_no_space - 1024"
        #expect(
            try commands(report(.readOnly, status: status, isReadOnlyByRequest: true)) == [
                "dmlayer --read-only shutdown"
            ])
        #expect(try commands(report(.readOnly, status: full))[0] == "dmlayer pool resize --metadata 134217728")
        #expect(try commands(report(.readOnly, status: status)).contains("dmlayer shutdown"))
        #expect(try commands(report(.failed, status: "Fail")).contains { $0.hasPrefix("dmesg") })
        #expect(try report(.inactive, status: "Fail", refusal: "no magic").problems[0].summary.contains("no magic"))
        #expect(try commands(report(isSuspended: true)) == ["dmlayer dm resume docker-8:1-2-pool"])
    }

    @Test func saysWhatMakesSpace() throws {
        let full = "0 1000/16384 163840/163840 - out_of_data_space discard_passdown queue_if_no_space - 1024"
        let problem = try #require(try report(.outOfDataSpace, status: full).problems.first)
        #expect(problem.summary.contains("full: writes wait"))
        #expect(
            problem.steps.compactMap(\.command).prefix(2) == ["dmlayer pool resize 21474836480", "dmlayer remove ID"])
        #expect(
            try commands(report(.outOfDataSpace, status: full, hasFiles: false)).first == "dmlayer pool resize")
        #expect(
            try report(.outOfDataSpace, status: full, isForeign: true).problems[0].steps[0].text.contains("lvextend"))
        let low = "0 16000/16384 160000/163840 - rw discard_passdown queue_if_no_space - 1024"
        let summaries = try report(status: low, allocated: 10 << 30).problems.map(\.summary)
        #expect(summaries.count == 2)
        #expect(summaries.allSatisfy { $0.contains("no layer can be made") && $0.contains("dm.min_free_space=10%") })
    }

    @Test func saysHowLongWritesWait() throws {
        let full = "0 1000/16384 163840/163840 - out_of_data_space discard_passdown queue_if_no_space - 1024"
        for (seconds, hasTimedOut, words) in [
            (60, false, "writes wait for more space, and fail after 60 s (no_space_timeout)"),
            (0, false, "writes wait for more space, for ever (no_space_timeout)"),
            (nil, false, "writes wait for more space"),
            (5, true, "writes have waited for 5 s (no_space_timeout), and fail now until there is more space"),
        ] as [(UInt64?, Bool, String)] {
            let report = try report(
                .outOfDataSpace, status: full, noSpaceTimeout: seconds, hasTimedOut: hasTimedOut)
            #expect(report.whenFull == words)
            #expect(report.problems.first?.summary == "the pool's data is full: \(words)")
        }
        let failing = full.replacing("queue_if", with: "error_if")
        #expect(try report(.outOfDataSpace, status: failing).problems[0].summary.hasSuffix("full: writes fail at once"))
    }

    @Test func warnsOfPromisesThatTheDiskCannotKeep() throws {
        let promising = try report(diskFree: 5 << 30).problems
        #expect(promising.map(\.isWarning) == [true])
        #expect(promising[0].summary.contains("promises more than there is"))
        // As little is left as makes layers impossible: 65 MB are used, and 10 % of what fits is more than 5 MB.
        let full = try report(allocated: 60 << 20, diskFree: 5 << 20).problems
        #expect(full.map(\.isWarning) == [false, true])
        #expect(full[0].summary.contains("the disk under /var/lib/dmlayer/devicemapper/data can take"))
        // A file that has its place needs nothing of the disk.
        #expect(try report(allocated: 10 << 30, diskFree: 0).problems == [])
    }

    @Test func warnsOfWhatCannotGoOnForEver() throws {
        #expect(try report(snapshots: 1 << 23).problems.map(\.isWarning) == [true])
        let status = "0 1000/16384 1000/163840 - rw no_discard_passdown queue_if_no_space - 1024"
        #expect(try report(status: status).problems.map(\.summary).contains { $0.contains("takes no discards") })
    }
}
