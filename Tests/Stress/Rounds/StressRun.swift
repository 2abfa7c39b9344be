import Glibc
import SystemCalls
import SystemPackage
import TestSupport

/// Rounds on one disk, until they are done or one finds a fault.
struct StressRun {
    private let options: StressOptions
    private let program: FilePath
    private let work: FilePath = "/run/stress"
    private var counts = PairCounts()

    init(_ options: StressOptions, program: FilePath) {
        self.options = options
        self.program = program
    }

    /// Carries out the rounds.
    ///
    /// - Returns: The exit status.
    mutating func carryOut() throws -> CInt {
        say("seed \(options.seed): \(options.processes) processes with \(options.threads) threads")
        try Shell.run(
            """
            set -e
            mkdir -p '\(work)/disk'
            for disk in /sys/block/*; do
                disk=/dev/${disk##*/}
                case $disk in /dev/loop* | /dev/ram* | /dev/dm-*) continue ;; esac
                [ "$(blkid -p -o value -s LABEL "$disk" 2> /dev/null)" != stress ] || break
            done
            mount "$disk" '\(work)/disk'
            """)
        let begin = ContinuousClock.now
        var round = options.firstRound
        while true {
            let isOver =
                options.minutes.map { ContinuousClock.now - begin > .seconds($0 * 60) }
                ?? (round >= options.firstRound + options.rounds)
            if isOver { break }
            let faults = try carryOut(round)
            guard faults.isEmpty else {
                say("\(counts)")
                // Last, where a reader of a long output looks first.
                for fault in faults { say("FAULT in round \(round) of seed \(options.seed): \(fault)") }
                say(
                    "To repeat: scripts/stress --seed \(options.seed) --first-round \(round) --rounds 1 --processes "
                        + "\(options.processes) --threads \(options.threads) --trials \(options.trials) "
                        + "--layers \(options.layers) --pairs '\(options.pairs)'")
                return 1
            }
            round += 1
        }
        say("\(counts)")
        say("\(round - options.firstRound) rounds in \(ContinuousClock.now - begin): no fault")
        return 0
    }

    /// Carries out one round.
    ///
    /// - Returns: The faults that were found.
    private mutating func carryOut(_ number: Int) throws -> [String] {
        // Three rounds go on in one store, with what the rounds before them left.
        let root = work.appending("disk/store-\(number / 3)")
        let settings = RoundSettings(options, root: root, program: program, work: work, round: number)
        try settings.write(to: work.appending("settings"))
        say("round \(number): \(settings.words)")
        try prepare(settings, number)
        let round = StressRound(settings, lanesOf: work)
        return try round.run(&counts) + RoundVerification(settings, round.snapshots).faults()
    }

    private func prepare(_ settings: RoundSettings, _ number: Int) throws {
        let values = [
            "dm.basesize=\(settings.baseSize)", "dm.loopdatasize=1g", "dm.loopmetadatasize=16m",
            "dm.fs=\(options.layers)", "dm.min_free_space=1%", "dm.use_deferred_removal=\(settings.defersRemoval)",
            "dm.use_deferred_deletion=\(settings.defersDeletion)",
        ].map { "--storage-opt \($0)" }.joined(separator: " ")
        // An init of a store that is there changes its options.
        try Shell.run(
            """
            set -e
            rm -f '\(work)'/p*t*
            for store in '\(work)'/disk/store-*; do [ "$store" = '\(settings.root)' ] || rm -rf "$store"; done
            \(settings.command) \(values) init > /dev/null
            """)
    }
}

extension RoundSettings {
    /// The settings of a round in one line.
    var words: String {
        [
            "store \(root.split(separator: "/").last ?? "")", "deferred removal \(defersRemoval)",
            "deferred deletion \(defersDeletion)", hasService ? "a service" : "", hasMonitor ? "a monitor" : "",
        ].filter { !$0.isEmpty }.joined(separator: ", ")
    }
}

/// How often each pair was started.
struct PairCounts: CustomStringConvertible {
    private var counts: [String: Int] = [:]

    mutating func add(_ pair: Substring) { counts[String(pair), default: 0] += 1 }

    var description: String {
        let kinds = OperationKind.allCases
        let width = kinds.map(\.rawValue.count).max() ?? 0
        func cell(_ text: String) -> String { String(repeating: " ", count: max(1, width + 1 - text.count)) + text }
        var lines = ["Pairs: same layer + parent and child + different layers; the first operation is at the left."]
        lines.append(cell("") + kinds.map { cell($0.rawValue) }.joined())
        for first in kinds {
            let cells = kinds.map { second in
                let relations = first.hasLayer && second.hasLayer ? Relation.allCases : [.same]
                return cell(
                    relations.map { counts["\(Pair(first: first, second: second, relation: $0))", default: 0] }
                        .map(String.init).joined(separator: "+"))
            }
            lines.append(cell(first.rawValue) + cells.joined())
        }
        let missing = Pair.all.filter { counts["\($0)"] == nil }.count
        lines.append("\(counts.values.reduce(0, +)) trials of \(counts.count) pairs; \(missing) pairs did not occur")
        return lines.joined(separator: "\n")
    }
}
