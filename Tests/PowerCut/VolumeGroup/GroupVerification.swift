import SystemCalls
import SystemPackage
import TestSupport

/// Looks at a volume group that a power cut has left, with real lvm2 as the judge.
struct GroupVerification {
    private enum Activator { case ours, lvm2 }

    private let disk: GroupDisk
    /// The steps that were acknowledged.
    private var done: [String]
    /// The steps that had begun and were not acknowledged.
    private let pending: [String]
    /// Whether a step may still be half done, so that lvm2 may say so.
    private var isInterrupted: Bool
    private var random: SeededRandom
    /// The faults that were found.
    private(set) var faults: [String] = []
    /// Facts that are no faults, for the reader of the log.
    private(set) var remarks: [String] = []

    /// - Parameter expectations: The marks of the log: `begin:` and `end:`, each with the name of a step.
    init(_ disk: String, program: FilePath, lvm2: FilePath, expectations: String, seed: UInt64) throws {
        self.disk = try GroupDisk(disk, program: program, lvm2: lvm2)
        func steps(_ mark: String) -> [String] {
            expectations.split(separator: "\n").filter { $0.hasPrefix(mark) }.map { String($0.dropFirst(mark.count)) }
        }
        let done = steps("end:")
        self.done = done
        pending = steps("begin:").filter { !done.contains($0) }
        isInterrupted = !pending.isEmpty
        random = SeededRandom(seed: seed)
    }

    /// The acknowledged steps and those that had begun, in words.
    var steps: String { "done: \(done.joined(separator: " ")), begun: \(pending.joined(separator: " "))" }

    mutating func run() throws {
        try checkGroup()
        for step in pending { complete(step) }
        if !(done + pending).contains("init") {
            attempt("init does not work") { try $0.disk.initialize() }
        }
        // Everything is in order now.
        isInterrupted = false
        attempt("no layer can be made") { try $0.disk.layer("create after") }
        for name in done where name.hasPrefix("keep-") {
            attempt("the file in \(name) is not what was acknowledged") { verification in
                let path = FilePath(try verification.disk.layer("mount \(name)")).appending("file")
                // Without this the shutdown below says what is wrong.
                defer { _ = try? verification.disk.layer("unmount \(name)") }
                guard try TextFile.read(path) == GroupDisk.content(name) else { throw PowerCutError("it differs") }
            }
        }
        expect("lvm2 in the end", try lvm2Complaints(), "")
        try checkSizes()
        attempt("check") { try $0.disk.layer("check") }
        if (done + pending).contains("extend") {
            let group = try disk.shell.output("pvs --noheadings -o vg_name \(GroupDisk.second) | xargs")
            expect("groups on the second disk", group, "docker")
        }
        try disk.layer("remove after")
        try disk.layer("shutdown")
        try deactivate(.ours)
        try checkPoolMetadata("in the end")
        _ = try activate(.lvm2)
        try deactivate(.lvm2)
        try disk.detach()
    }

    // MARK: Faults

    private mutating func expect(_ what: String, _ actual: String, _ expected: String) {
        if actual != expected { faults.append("\(what): '\(actual)' and not '\(expected)'") }
    }

    /// Does something that must succeed.
    private mutating func attempt(_ fault: String, _ body: (inout Self) throws -> Void) {
        do { try body(&self) } catch { faults.append("\(fault): \(error)") }
    }

    // MARK: lvm2's complaints

    /// All that lvm2 says against the group.
    private func lvm2Complaints() throws -> String {
        let disks = [GroupDisk.first, GroupDisk.second].map { part in
            // A disk that was not added yet has no label.
            "case $(pvs --noheadings -o vg_name \(part) 2> /dev/null) in *docker*) pvck \(part) ;; esac"
        }
        return try (disks + ["vgck docker", "pvs", "vgs", "lvs -a"])
            .map { try disk.shell.complaints($0) }.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    /// Leaves out what lvm2 says of a group whose change was interrupted, where that is so.
    private func withoutInterruption(_ text: String) -> String {
        guard isInterrupted else { return text }
        return text.split(separator: "\n").filter { line in
            let words = line.drop { $0 == " " }
            return !words.hasPrefix("WARNING: ignoring metadata seqno")
                && !(words.hasPrefix("WARNING: PV ")
                    && words.contains(" in VG docker is missing the used flag in PV header"))
        }.joined(separator: "\n")
    }

    private mutating func checkGroup() throws {
        guard try disk.shell.succeeds("vgs docker") else {
            if done.contains("init") {
                faults.append("the volume group is not there: \(try disk.shell.complaints("vgs docker"))")
            }
            return
        }
        let said = try lvm2Complaints()
        if isInterrupted, !said.isEmpty {
            let lines = Set(said.split(separator: "\n")).sorted().joined(separator: ";")
            remarks.append("lvm2, in the middle of \(pending.joined(separator: " ")): \(lines)")
        }
        expect("lvm2", withoutInterruption(said), "")
        var tables: [String] = []
        for activator in [Activator.ours, .lvm2].shuffled(using: &random) {
            tables.append(try activate(activator))
            try deactivate(activator)
            try checkPoolMetadata("after an activation by \(activator)")
        }
        expect("the tables of lvm2 and ours", tables[0], tables[1])
    }

    // MARK: The pool

    private mutating func activate(_ activator: Activator) throws -> String {
        switch activator {
        case .ours:
            attempt("we do not activate the pool") { try $0.disk.layer("pool activate --pool docker/thinpool") }
        case .lvm2:
            let said = try disk.shell.complaints("lvchange -ay docker/thinpool")
            expect("lvm2 activates", withoutInterruption(said), "")
        }
        let devices = try disk.shell.poolDevices()
        if devices.isEmpty { faults.append("the pool is not active") }
        return devices
    }

    private mutating func deactivate(_ activator: Activator) throws {
        let isOurs =
            try activator == .ours
            && disk.shell.succeeds(
                "'\(disk.program)' --root '\(GroupDisk.store)' pool deactivate --pool docker/thinpool")
        if !isOurs {
            let said = withoutInterruption(try disk.shell.complaints("lvchange -an docker/thinpool"))
            if !said.isEmpty { remarks.append(said) }
        }
        expect("what is left", try disk.shell.poolDevices(), "")
    }

    /// Lets thin_check look at the pool's metadata, which lvm2 makes a device.
    private mutating func checkPoolMetadata(_ when: String) throws {
        let device = "/dev/mapper/docker-thinpool_tmeta"
        func change(_ options: String) throws -> String {
            withoutInterruption(try disk.shell.complaints("lvchange \(options) docker/thinpool_tmeta"))
        }
        let said = try [change("-ay -y")].filter { !$0.isEmpty }
        remarks += said
        // There are zeros until the kernel has made the pool.
        let isNew = try disk.shell.output("head -c 4096 \(device) | tr -d '\\0' | wc -c") == "0"
        if !isNew {
            attempt("thin_check of the metadata \(when)") { try $0.disk.shell.run("thin_check -q \(device)") }
        }
        remarks += try [change("-an")].filter { !$0.isEmpty }
    }

    private mutating func checkSizes() throws {
        for volume in ["thinpool", "thinpool_tdata", "thinpool_tmeta"] {
            let active = try disk.shell.output(
                "dmsetup table docker-\(volume) | awk '{ end = $1 + $2 } END { print end }'")
            let said = try disk.shell.output(
                "lvs -a --noheadings --units s --nosuffix -o lv_size docker/\(volume) | xargs")
            expect("the size of \(volume)", active, said)
        }
    }

    // MARK: Going on

    /// Gives the command of a step again, which completes it.
    private mutating func complete(_ step: String) {
        attempt("\(step) cannot be completed") {
            switch step {
            case "init": try $0.disk.initialize()
            case "watched": try $0.watchAgain()
            case "metadata": try $0.disk.layer("pool extend --metadata 4m")
            case "extend": try $0.disk.layer("pool extend \(GroupDisk.second)")
            default:
                let layers = try $0.disk.layer("list").split(separator: "\n")
                // Of a layer that is there, the file was not acknowledged.
                guard !layers.contains(where: { $0.hasPrefix("\(step) ") }) else { return }
                try $0.disk.keep(step)
                $0.done.append(step)
            }
        }
    }

    /// Lets the monitor do what it had no time for.
    private func watchAgain() throws {
        try disk.layer("pool activate")
        let log: FilePath = "/run/monitor.log"
        let monitor = try disk.startMonitor(log: log)
        defer { _ = try? monitor.end() }
        do {
            try Patience.until(.seconds(20)) {
                try disk.shell.succeeds(
                    """
                    dmsetup status --noflush docker-thinpool \
                    | awk '{ split($6, used, "/"); exit !(used[1] / used[2] < 0.8) }'
                    """)
            }
        } catch {
            throw PowerCutError("the monitor does not go on: \(try TextFile.read(log))")
        }
    }
}
