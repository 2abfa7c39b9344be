import Glibc
import SystemCalls
import SystemPackage
import TestSupport

/// `dmlayer pool monitor` makes a pool larger in time, and survives everything that the pool can become.
final class MonitorTests {
    private static let figures: FilePath = "/run/pool.prom"
    private static let hookLog: FilePath = "/run/hook.log"

    private let checks: Checks
    private let program: FilePath
    private let log = MonitorLog(path: "/run/monitor.log")
    private var layer: Command
    private var pool = PoolStatus(name: "docker-thinpool")
    private var monitor: ChildProcess?
    /// The table of the pool's metadata.
    private var metadataTable = ""

    init(_ checks: Checks, program: FilePath) {
        self.checks = checks
        self.program = program
        let shell = GuestShell(prelude: "export LVM_SYSTEM_DIR=/run/etc-lvm")
        layer = Command(program: program, root: "/run/store", shell: shell)
        let path = log.path
        checks.explain(by: "'\(path)'")
    }

    func run() throws {
        try Shell.run("printf '#!/bin/sh\\necho \"$@\" >>/run/hook.log\\n' > /run/hook && chmod +x /run/hook")
        let disk = try PoolDisk()
        checks.check("a pool with free extents behind it", try makePool(), "")
        try extendsWhileThePoolIsWritten()
        try reportsAFullPool()
        try reportsMetadataThatFails(disk)
        try extendsMetadata()
        try layer("shutdown")
        try layer("pool deactivate")
        try growsFilesUpToALimit()
        try goesOnWithoutHookAndFile()
        try layer("shutdown")
    }

    // MARK: The pool

    /// Makes a pool with free extents behind it.
    private func makePool() throws -> String {
        let options = [
            "dm.basesize=64m", "dm.fs=ext4", "dm.min_free_space=1%", "dm.directlvm_device=/dev/mapper/disk",
            "dm.thinp_percent=20", "dm.thinp_metapercent=1",
        ]
        let said = try layer(options.map { "--storage-opt \($0)" }.joined(separator: " ") + " init")
        metadataTable = try Shell.run("dmsetup table '\(pool.name)_tmeta'")
        return said
    }

    /// The sector of the disk where the pool's metadata begins.
    private var metadataStart: Int {
        get throws {
            let words = metadataTable.split(separator: " ")
            guard words.count > 4, let start = Int(words[4]) else { throw CheckError("no table: \(metadataTable)") }
            return start
        }
    }

    /// Runs a command on the pool's metadata, `/dev/mapper/metadata`, while the pool is not active.
    private func withMetadata(_ command: String) throws {
        try layer("shutdown")
        try layer("pool deactivate")
        try Shell.run(
            "dmsetup create metadata --table '\(metadataTable)' && { \(command)\n} && dmsetup remove metadata")
        try layer("pool activate")
    }

    /// Does what the monitor says.
    private func mend(_ disk: PoolDisk) throws {
        try disk.setMetadata(at: metadataStart, .whole)
        metadataTable = try Shell.run("dmsetup table '\(pool.name)_tmeta'")
        try withMetadata("thin_check -q --clear-needs-check-flag /dev/mapper/metadata")
    }

    // MARK: The monitor

    /// Starts a monitor, and waits until it watches.
    private func watch(_ options: String = "") throws {
        for path in [log.path, Self.hookLog] { try TextFile.write("", to: path) }
        monitor = try layer.start(
            "--json pool monitor --metrics \(Self.figures) --hook /run/hook \(options)", log: log.path)
        try happens("watching")
    }

    private func unwatch() throws {
        guard let monitor else { return }
        if try !monitor.isRunning { checks.fail("the monitor has ended by itself") }
        try monitor.end()
    }

    /// Waits until the monitor has said something, so many times.
    private func happens(_ event: String, _ words: String = "", times: Int = 1) throws {
        try checks.wait(for: "“\(event) \(words)” of the monitor", .seconds(30)) {
            try log.count(event, words) >= times
        }
    }

    /// A value in the file of figures; `label` is a part of its labels.
    private func figure(_ name: String, _ label: String = "") throws -> String {
        for line in try TextFile.read(Self.figures).lines where line.hasPrefix("dmlayer_pool_\(name){") {
            let parts = line.split(separator: "}", maxSplits: 1)
            if parts.count == 2, label.isEmpty || parts[0].hasSuffix(label) { return String(parts[1].dropFirst()) }
        }
        return ""
    }

    private func mode(_ name: String) throws -> String { try figure("mode", ",mode=\"\(name)\"") }

    /// The value that a figure becomes: the file is written just behind the line in the log.
    private func becomes(_ expected: String, _ value: () throws -> String) throws -> String {
        do {
            try Patience.until(.seconds(10)) { try value() == expected }
        } catch is Patience.TimedOut {}
        return try value()
    }

    private func hookCount(_ prefix: String) throws -> Int {
        try TextFile.read(Self.hookLog).lines.count { $0.hasPrefix(prefix) }
    }

    // MARK: More data

    private func extendsWhileThePoolIsWritten() throws {
        // Not the threshold that the pool was activated with.
        try watch("--threshold 70")
        let expected = "\(try pool.data().total * 3 / 10)"
        checks.check(
            "the kernel reports when the threshold is reached", try becomes(expected) { try mark() }, expected)
        try layer("create big --size 400m")
        let file = try layer("mount big") + "/file"
        try takesFiguresBetweenEvents(of: file)
        let samples = PoolWatch(pool)
        let (status, _) = try Shell.runForStatus("dd if=/dev/zero of='\(file)' bs=1M count=150 conv=fsync status=none")
        checks.check("the writer never finds the pool full", "\(status)", "0")
        pause(for: .milliseconds(300))
        let delays = try samples.end().map { "\($0)" }.joined(separator: " ")
        say(
            "From 80 % of use to more space: \(delays) ms, by the pool's status; the monitor's log: "
                + (try log.messages("extended").joined(separator: "; ")))
        // The last extension may still be under way.
        do { try Patience.until(.seconds(20)) { try pool.isBelow() } } catch is Patience.TimedOut {}
        checks.check(
            "it was extended, and is used to less than 80 %", try log.count("extended") > 0 && pool.isBelow())
        let extended = "\(try log.count("extended"))"
        checks.check(
            "the figures say how often", try becomes(extended) { try figure("extensions_total") }, extended)
        checks.check(
            "and so was the hook told",
            try becomes(extended) { "\(try hookCount("extended \(pool.name) docker/thinpool has"))" }, extended)
        try unwatch()
        try Shell.run("rm '\(file)'")
        try layer("unmount big")
    }

    /// The number of free blocks at which the kernel reports.
    private func mark() throws -> String { try Shell.run("dmsetup table '\(pool.name)' | cut -d ' ' -f 7") }

    /// Writes below the threshold cause no event.
    private func takesFiguresBetweenEvents(of file: String) throws {
        try Shell.run("dd if=/dev/zero of='\(file)' bs=1M count=8 conv=fsync status=none")
        // The file system itself goes on writing for a while.
        var isCurrent = false
        do {
            try Patience.until(.seconds(40)) {
                isCurrent = try figure("data_used_bytes") == "\(pool.data().used << 19)"
                return isCurrent
            }
        } catch is Patience.TimedOut {}
        checks.check("the figures follow a pool that has no events", isCurrent)
    }

    /// A full pool that nothing makes larger waits for a person.
    private func reportsAFullPool() throws {
        try watch("--threshold 100")
        // A block has half a MiB.
        let size = try pool.data().total / 2
        let file = try layer("mount big") + "/file"
        let writer = try ChildProcess("exec dd if=/dev/zero of='\(file)' bs=1M count=\(size) conv=fsync status=none")
        try happens("mode", "out_of_data_space")
        checks.check(
            "a full pool is reported",
            "\(try becomes("1") { try mode("out_of_data_space") }) \(try log.count("mode", "Add space now"))", "1 1")
        checks.check(
            "with a warning at each level",
            // The warning of the last level stands behind the mode that came with it.
            try becomes("data, more than 80 % data, more than 90 % data, more than 95 %") {
                try log.warnings("data, ").joined(separator: " ")
            }, "data, more than 80 % data, more than 90 % data, more than 95 %")
        let begin = ContinuousClock.now
        try layer("pool extend")
        try happens("mode", "is now rw")
        let time = (ContinuousClock.now - begin) / .milliseconds(1)
        say("From the command that adds space to a pool that works again: \(Int(time)) ms")
        let status = try writer.wait(.seconds(120)) ?? -1
        checks.check(
            "a person adds space, and the writer that waited ends well",
            "\(status) \(try becomes("0") { try mode("out_of_data_space") })", "0 0")
        try unwatch()
        try layer("unmount big")
    }

    // MARK: Metadata

    /// Metadata that cannot be written, and then cannot be read either.
    private func reportsMetadataThatFails(_ disk: PoolDisk) throws {
        let change = "dmsetup message '\(pool.name)' 0 'create_thin 3000'"
        try watch()
        try disk.setMetadata(at: metadataStart, .readOnly)
        _ = try Shell.runForStatus(change)
        try happens("mode", "needs_check")
        checks.check(
            "needs_check is explained",
            "\(try becomes("1") { try figure("needs_check") }) \(try mode("rw")) "
                + "\(try log.count("mode", "metadata check --clear-needs-check"))", "1 0 1")
        checks.check("the hook is told", try becomes("1") { "\(try hookCount("mode \(pool.name)"))" }, "1")
        try mend(disk)
        try happens("watching", times: 2)
        checks.check("what it says helps", try pool.text.places(of: " rw ").count == 1)
        try layer("create after")
        checks.check("and the layers are there", try layer("list").lines.count { $0.hasPrefix("after ") } == 1)
        try unwatch()

        try watch()
        try disk.setMetadata(at: metadataStart, .failing)
        _ = try Shell.runForStatus(change)
        try happens("mode", "is now failed")
        checks.check("a pool that has failed is reported", try becomes("0") { try figure("up") }, "0")
        try mend(disk)
        try happens("watching", times: 2)
        checks.check(
            "it is watched again when it is back",
            "\(try becomes("1") { try figure("up") }) \(try figure("needs_check"))", "1 0")
        try unwatch()
    }

    /// Fills and extends the metadata of a new pool, which has free extents again.
    ///
    /// Each thin device has a block of metadata, and thin_restore makes many devices.
    private func extendsMetadata() throws {
        try layer("shutdown")
        try layer("pool deactivate")
        try Shell.run(
            "rm -rf '\(layer.root)' && dd if=/dev/zero of=/dev/mapper/disk bs=1M count=4 conv=fsync status=none")
        checks.check("another pool", try makePool(), "")
        let devices = (2000..<2600).map { id in
            """
            <device dev_id="\(id)" mapped_blocks="1" transaction="0" creation_time="0" snap_time="0">\
            <single_mapping origin_block="\(id)" data_block="0" time="0"/></device>\n
            """
        }.joined()
        try TextFile.write(devices, to: "/run/devices.xml")
        try withMetadata(
            """
            thin_dump /dev/mapper/metadata > /run/before.xml &&
            sed '/<\\/superblock>/ { e cat /run/devices.xml
            }' /run/before.xml > /run/metadata.xml && thin_restore -q -i /run/metadata.xml -o /dev/mapper/metadata
            """)
        try watch("--threshold 90")
        var number = 3000
        while try log.count("extended") == 0, number < 3400 {
            number += 1
            try Shell.run("dmsetup message '\(pool.name)' 0 'create_thin \(number)'")
        }
        say(try log.messages("extended").joined(separator: "\n"))
        checks.check("metadata is extended at the kernel's own mark", "\(try pool.metadata().total)", "2048")
        checks.check(
            "nothing else is",
            try log.count("extended", "has 0B more for data and 4.194MB more for metadata") == 1)
        try unwatch()
    }

    // MARK: Files

    /// Files of the store's own grow up to a limit.
    private func growsFilesUpToALimit() throws {
        layer = Command(program: program, root: "/run/loop-store", shell: layer.shell)
        let options = [
            "dm.basesize=64m", "dm.fs=ext4", "dm.min_free_space=1%", "dm.loopdatasize=64m", "dm.loopmetadatasize=8m",
            "dm.error_if_no_space=true",
        ]
        checks.check(
            "a pool on files", try layer(options.map { "--storage-opt \($0)" }.joined(separator: " ") + " init"), "")
        pool = PoolStatus(name: try Shell.run("dmsetup ls | awk '$1 ~ /-pool$/ { print $1 }'"))
        try watch("--limit 96m")
        try layer("create big --size 200m")
        let file = try layer("mount big") + "/file"
        var written = 0
        // A writer that is told at once that there is no space, so it is not the fastest.
        while written < 120,
            try Shell.runForStatus(
                "dd if=/dev/zero of='\(file)' bs=1M count=4 seek=\(written) conv=notrunc,fsync status=none"
            ).status == 0
        {
            written += 4
            do {
                try Patience.until(.seconds(10)) { try pool.isBelow() || log.count("not_extended") > 0 }
            } catch is Patience.TimedOut {}
        }
        try happens("not_extended")
        checks.check(
            "it grows up to the limit",
            try Stat(layer.root.appending("devicemapper/data")).size == 96 << 20
                && log.count("extended") > 0)
        let (mark, total) = (Int(try mark()) ?? 0, try pool.data().total)
        checks.check("the kernel's mark has kept its share of the pool", (total * 18 / 100...total / 5).contains(mark))
        try happens("mode", "out_of_data_space")
        checks.check(
            "it warns at each level",
            try becomes("more than 80 % more than 90 % more than 95 %") {
                Set(try log.warnings("")).sorted().joined(separator: " ")
            }, "more than 80 % more than 90 % more than 95 %")
        checks.check(
            "then it says why it grows no more", try log.count("not_extended", "no space is left") == 1)
        checks.check("and the writer is told", written < 96)
        try unwatch()
        try layer("unmount big")
        try layer("remove big")
    }

    /// A hook that cannot be run and a file that cannot be written do not end the monitor.
    private func goesOnWithoutHookAndFile() throws {
        try watch("--hook /nonexistent --metrics /nonexistent/figures")
        func count(_ words: String) throws -> Int {
            try TextFile.read(log.path).lines.count { !String($0).places(of: words).isEmpty }
        }
        checks.check(
            "a hook that is missing is named", try becomes("1") { "\(try count("cannot run /nonexistent: "))" }, "1")
        checks.check(
            "so is a file that cannot be written",
            try becomes("1") { "\(try count("cannot write /nonexistent/figures: "))" }, "1")
        try unwatch()
    }
}
