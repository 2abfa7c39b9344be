import SystemCalls
import SystemPackage
import TestSupport

/// Works on stores, cuts their power, and verifies what is left, as often as it is told to.
struct PowerCutRun {
    /// How many cuts come out of one run of the workload.
    private static let cutsPerRun = 25
    /// How many disks are verified by one kernel.
    private static let disksPerKernel = 8
    /// After how many seconds a kernel that does not end is ended.
    ///
    /// The one on two emulated processors is slow where the machine has other work.
    private static let limit = 3600

    private let sandbox: Sandbox
    private var random: SeededRandom
    private let options: RunOptions
    private let workload: RunOptions.Workload
    /// The folder of real lvm2, which the workload of volume groups needs.
    private let lvm2: FilePath?
    /// The folder of the run: `base`, `disk`, `log`, `events`, `expectations`, `output`.
    private var run: FilePath { sandbox.work.appending("run") }
    private var cuts: FilePath { sandbox.work.appending("cuts") }
    /// This program; a build during a long run does not change the copy.
    private var tool: FilePath { sandbox.work.appending("PowerCut") }
    private var program: FilePath { sandbox.work.appending("dmlayer") }

    private init(_ options: RunOptions, workload: RunOptions.Workload, kernel: String, seed: UInt64) throws {
        self.options = options
        self.workload = workload
        // The last line is the folder; lines before it say that lvm2 is being fetched.
        lvm2 =
            workload == .directLVM
            ? try Shell.run("scripts/lib/lvm2").split(separator: "\n").last.map { FilePath(String($0)) } : nil
        sandbox = try Sandbox(kernel: kernel, processors: options.processors)
        random = SeededRandom(seed: seed)
        let own = FilePath(CommandLine.arguments[0]).removingLastComponent()
        try Shell.run("cp '\(own)'/PowerCut '\(own)'/dmlayer '\(sandbox.work)/'")
    }

    /// Carries out what the options say.
    ///
    /// - Returns: The exit status.
    static func carryOut(_ options: RunOptions) throws -> CInt {
        if let kept = options.again { return try again(kept, options) }
        say(
            "seed \(options.seed), kernel \(options.kernel)"
                + (options.processors.map { ", \($0) processors" } ?? ""))
        var powerCuts = try PowerCutRun(
            options, workload: options.workload, kernel: options.kernel, seed: options.seed)
        defer { powerCuts.sandbox.remove() }
        return try powerCuts.cutAll()
    }

    /// Makes the cuts of a kept failure once more.
    private static func again(_ kept: FilePath, _ options: RunOptions) throws -> CInt {
        let words = try TextFile.read(kept.appending("run")).split(whereSeparator: \.isWhitespace).map(String.init)
        guard words.count == 5, let workload = RunOptions.Workload(rawValue: words[0]), let seed = UInt64(words[3]),
            let count = Int(words[4])
        else { throw PowerCutError("\(kept) does not hold a failure") }
        let powerCuts = try PowerCutRun(options, workload: workload, kernel: words[2], seed: seed)
        defer { powerCuts.sandbox.remove() }
        for file in ["base", "disk", "log", "events", "expectations"] {
            try Shell.run("ln -s \"$(realpath '\(kept)')/\(file)\" '\(powerCuts.run)/\(file)'")
        }
        try powerCuts.makeCuts(count, seed: seed)
        return try powerCuts.verifyCuts(count, seed: seed) ? 0 : 1
    }

    private mutating func cutAll() throws -> CInt {
        try makeBase()
        try TextFile.write("", to: run.appending("expectations"))
        var (done, acknowledged, runs) = (0, 0, 0)
        while done < options.count {
            runs += 1
            let seed = options.seed % 1_000_000 * 1000 + UInt64(runs)
            let count = min(options.count - done, Self.cutsPerRun)
            try TextFile.write(
                "\(workload.rawValue) \(options.seed) \(options.kernel) \(seed) \(count)\n", to: run.appending("run"))
            guard try survives(count, seed: seed) else { return try keepFailure() }
            done += count
            if !workload.hasNoEnd {
                say("run \(runs): \(count) power cuts survived")
                try Shell.run("rm -rf '\(cuts)' && cd '\(run)' && rm -rf disk log output")
                try makeBase()
                continue
            }
            let events = try TextFile.read(run.appending("events")).split(separator: "\n")
                .compactMap { Event(String($0)) }.count { $0.kind.isAcknowledgement && $0.kind != .resized }
            acknowledged += events
            say("run \(runs): \(events) operations acknowledged, \(count) power cuts survived")
            // The next run goes on where one of these stores stands.
            let next = cuts.appending("\(Int.random(in: 0..<count, using: &random))")
            try Shell.run(
                """
                set -e
                mv '\(next)/disk' '\(run)/base'; mv '\(next)/verified' '\(run)/expectations'
                rm -rf '\(cuts)'; cd '\(run)'; rm -rf disk log events output
                """)
        }
        let found =
            switch workload {
            case .directLVM: ": the group was readable and the pool whole every time"
            case .images: ": each image was whole or not there, and nothing leaked"
            case .layers: " with \(acknowledged) acknowledged operations: nothing was lost, nothing leaked"
            }
        say("\(options.count) power cuts in \(runs) runs\(found)")
        return 0
    }

    /// Does one run of the workload, cuts it, and verifies the cuts.
    private mutating func survives(_ count: Int, seed: UInt64) throws -> Bool {
        do {
            try workload.hasNoEnd ? workAndKill(seed: seed) : workToTheEnd(seed: seed)
            try makeCuts(count, seed: seed)
            return try verifyCuts(count, seed: seed)
        } catch {
            Sandbox.waitIfEnding()
            say("\(error)")
            return false
        }
    }

    private func keepFailure() throws -> CInt {
        try Shell.run(
            """
            rm -rf '\(options.keep)' && cp -r --sparse=always '\(run)' '\(options.keep)'
            [ ! -e '\(cuts)/list' ] || cp '\(cuts)/list' '\(options.keep)/'
            """)
        say("The run is kept in \(options.keep); scripts/powercut --again \(options.keep) cuts it again.")
        return 1
    }

    // MARK: The disks

    private func makeBase() throws {
        let base = run.appending("base")
        let sizes = GroupDisk.sectors
        let (size, part) =
            workload == .directLVM
            ? ((sizes.root + sizes.first + sizes.second) * 512, sizes.root * 512) : (1 << 30, 1 << 30)
        try Shell.run("rm -f '\(base)' && truncate -s \(size) '\(base)'")
        switch options.root {
        case "xfs": try Shell.run("mkfs.xfs -q -f -K '\(base)'")
        default:
            try Shell.run(
                """
                mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 -J size=16 '\(base)' \(part >> 10)k
                """)
        }
    }

    /// Gives the run a disk like its base, and an empty log.
    private func makeDisks() throws -> (disk: FilePath, log: FilePath) {
        let (disk, log) = (run.appending("disk"), run.appending("log"))
        try Shell.run("cp --sparse=always '\(run)/base' '\(disk)' && truncate -s 16G '\(log)'")
        return (disk, log)
    }

    // MARK: The workload

    /// Does a work that comes to an end; leaves the log of the writes.
    private func workToTheEnd(seed: UInt64) throws {
        let output = run.appending("output")
        let (disk, log) = try makeDisks()
        let status = try sandbox.run(
            disks: [disk], log: log, isWork: true, timeout: Self.limit,
            workload == .images
                ? "'\(tool)' work-images '\(program)' \(seed)"
                : "'\(tool)' work-group '\(program)' '\(lvm2 ?? "")' \(seed)", output: output)
        guard status == 0 else { throw PowerCutError("the workload failed:\n\(try TextFile.read(output))") }
    }

    /// Works on a store until the kernel is killed; leaves the disk, the log of its writes and the events.
    private mutating func workAndKill(seed: UInt64) throws {
        let (output, events) = (run.appending("output"), run.appending("events"))
        try TextFile.write("", to: events)
        let steps = Int.random(in: 200..<900, using: &random)
        let (disk, log) = try makeDisks()
        let kernel = try sandbox.start(
            disks: [disk], log: log, isWork: true, timeout: 300,
            "'\(tool)' work-layers '\(events)' '\(run)/expectations' \(seed)", output: output)
        // The moment is one in the work that is done, however slow this machine is, and somewhere within an operation.
        let reached: Bool? = try waiting(until: .after(.seconds(90))) {
            try !kernel.isRunning || TextFile.read(events).count { $0 == "\n" } >= steps ? true : nil
        }
        if reached == true { pause(for: .milliseconds(Int.random(in: 0..<90, using: &random))) }
        sandbox.cutPower()
        let status = try kernel.wait(.seconds(120))
        guard status == 125, try !TextFile.read(events).isEmpty else {
            let said = try TextFile.read(output)
            throw PowerCutError("the workload ended by itself, with status \(status ?? -1):\n\(said)")
        }
    }

    // MARK: The cuts

    /// Makes cuts of the run; for layers, the first one is the disk as the killed kernel left it.
    private func makeCuts(_ count: Int, seed: UInt64) throws {
        try Shell.run("rm -rf '\(cuts)' && mkdir -p '\(cuts)'")
        var lines: [String] = []
        switch workload {
        case .directLVM:
            lines = try CutImages.ofVolumeGroup(base: run.appending("base"), log: run.appending("log"))
                .make(count, seed: seed, in: cuts)
        case .images:
            lines = try CutImages.ofSteps(base: run.appending("base"), log: WriteLog(run.appending("log")))
                .make(count, seed: seed, in: cuts)
        case .layers:
            let inherited = Expectations(try TextFile.read(run.appending("expectations")))
            let first = cuts.appending("0")
            try Shell.run("mkdir '\(first)' && cp --sparse=always '\(run)/disk' '\(first)/disk'")
            // Nothing but the kernel's own memory was lost.
            let events = try TextFile.read(run.appending("events")).split(separator: "\n")
            var expected = inherited
            expected.take(before: events.compactMap { Event(String($0)) }, around: [])
            try TextFile.write(expected.text, to: first.appending("expectations"))
            lines = ["cut 0: the kernel killed, and nothing that it had written lost"]
            if count > 1 {
                lines += try CutImages.ofLayers(
                    base: run.appending("base"), log: run.appending("log"), inherited: inherited
                ).make(count - 1, seed: seed, in: cuts)
            }
        }
        try TextFile.write(lines.map { $0 + "\n" }.joined(), to: cuts.appending("list"))
    }

    /// Verifies the cuts, on a fresh kernel for each few of them.
    private func verifyCuts(_ count: Int, seed: UInt64) throws -> Bool {
        let numbers = workload.hasNoEnd ? 0..<count : 1..<count + 1
        let command =
            switch workload {
            case .layers: "'\(tool)' verify-layers '\(program)'"
            case .directLVM: "'\(tool)' verify-group '\(program)' '\(lvm2 ?? "")'"
            case .images: "'\(tool)' verify-images '\(program)'"
            }
        for first in stride(from: numbers.lowerBound, to: numbers.upperBound, by: Self.disksPerKernel) {
            let few = first..<min(first + Self.disksPerKernel, numbers.upperBound)
            let directories = few.map { cuts.appending("\($0)") }
            let words = directories.map { "'\($0)'" }.joined(separator: " ")
            let status = try sandbox.run(
                disks: directories.map { $0.appending("disk") }, timeout: Self.limit,
                "\(command) \(seed + UInt64(first)) \(words)")
            guard status != 0 else { continue }
            Sandbox.waitIfEnding()
            let failed = few.first { (try? Stat(cuts.appending("\($0)/verified"))) == nil } ?? first
            let lines = try TextFile.read(cuts.appending("list")).split(separator: "\n")
            say("FAILED (status \(status)): \(lines.first { $0.hasPrefix("cut \(failed):") } ?? "cut \(failed)")")
            return false
        }
        return true
    }
}
