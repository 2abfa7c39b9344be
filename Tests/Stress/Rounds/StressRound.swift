import Glibc
import SystemCalls
import SystemPackage
import TestSupport

/// One round: the processes with lanes, and what runs beside them.
struct StressRound {
    /// The words about a lock that was not to be had.
    private static let lockTimeout = "did not release it in time"

    private let settings: RoundSettings
    private let work: FilePath
    /// The client of the service.
    let snapshots: SnapshotWork
    private let tool = FilePath(CommandLine.arguments[0])

    init(_ settings: RoundSettings, lanesOf work: FilePath) {
        self.settings = settings
        self.work = work
        snapshots = SnapshotWork(settings)
    }

    /// Runs the round.
    ///
    /// - Returns: The faults that were found.
    func run(_ counts: inout PairCounts) throws -> [String] {
        let companions = Companions(settings)
        companions.start()
        if settings.hasService { snapshots.start() }
        let lanes = try (0..<settings.processes).map { process in
            try ChildProcess("exec '\(tool)' lanes \(process)", output: work.appending("lanes-\(process)"))
        }
        var faults: [String] = []
        var isStuck = false
        let limit = Duration.seconds(settings.trials * settings.limit / 3 + 600)
        let begin = ContinuousClock.now
        while try lanes.contains(where: { try $0.isRunning }), faults.isEmpty {
            pause(for: .milliseconds(200))
            // One that has failed ends the round.
            for (number, lane) in lanes.enumerated() where try lane.wait(.zero).map({ $0 != 0 }) == true {
                let status = try lane.wait(.zero) ?? -1
                let words = try TextFile.read(work.appending("lanes-\(number)"))
                isStuck = isStuck || status == RunningOperations.exitStatus || words.contains(Self.lockTimeout)
                faults.append("process \(number) ended with status \(status)")
            }
            guard ContinuousClock.now - begin > limit else { continue }
            isStuck = true
            faults.append("the round does not end within \(limit)")
        }
        let waiting = try isStuck ? WaitingProcesses.report() : ""
        for lane in lanes where try lane.isRunning { lane.send(SIGKILL) }
        // While the service still runs.
        faults += try snapshots.end() + companions.end()
        for number in 0..<settings.processes {
            let lines = try TextFile.read(work.appending("lanes-\(number)")).split(separator: "\n")
            for line in lines where line.hasPrefix("trial ") { counts.add(line.dropFirst("trial ".count)) }
            let rest = lines.filter { !$0.hasPrefix("trial ") }
            say(rest.map { "  process \(number): \($0)" }.joined(separator: "\n"))
        }
        if isStuck { say(waiting) }
        return faults
    }
}
