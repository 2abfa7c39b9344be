import FoundationEssentials
import SystemPackage
import TestSupport

/// Everything that the processes of one round have to know.
struct RoundSettings: Codable {
    let root: String
    let program: String
    /// The folder for files of the run, in memory.
    let work: String
    let seed: UInt64
    let round: Int
    let processes: Int
    let threads: Int
    /// How many trials each lane carries out.
    let trials: Int
    /// The pairs, as ``Pair/matching(_:)`` reads them.
    let pairs: String
    let baseSize: UInt64
    var defersRemoval = true
    var defersDeletion = true
    var hasService = false
    var hasMonitor = false
    /// How many seconds an operation may take.
    let limit: Int

    /// How long an operation waits for other operations.
    var patience: Duration { .seconds(limit / 3) }

    /// The program with the options of all commands.
    var command: String { "'\(program)' --root '\(root)' --patience \(limit / 3)" }

    var rules: StoreModel.Rules {
        StoreModel.Rules(
            baseSize: baseSize, defersRemoval: defersRemoval, defersDeletion: defersDeletion,
            hasShutdowns: Pair.matching(pairs).contains { $0.first == .shutdown || $0.second == .shutdown },
            hasService: hasService)
    }

    func laneSeed(process: Int, thread: Int) -> UInt64 {
        seed &* 1_000_003 &+ UInt64(round * 10_000 + process * 100 + thread)
    }

    /// The pairs of one lane: all lanes of all rounds together go through all pairs.
    func pairs(process: Int, thread: Int) -> [Pair] {
        var random = SeededRandom(seed: seed)
        let all = Pair.matching(pairs).shuffled(using: &random)
        let lanes = processes * threads
        return (0..<trials).map { trial in
            all[((round * trials + trial) * lanes + process * threads + thread) % all.count]
        }
    }

    init(from file: FilePath) throws {
        self = try JSONDecoder().decode(RoundSettings.self, from: Data(TextFile.read(file).utf8))
    }

    func write(to file: FilePath) throws {
        try TextFile.write(String(decoding: JSONEncoder().encode(self), as: UTF8.self), to: file)
    }

    init(_ options: StressOptions, root: FilePath, program: FilePath, work: FilePath, round: Int) {
        self.root = root.string
        self.program = program.string
        self.work = work.string
        self.round = round
        seed = options.seed
        processes = options.processes
        threads = options.threads
        trials = options.trials
        pairs = options.pairs
        baseSize = options.layers == "xfs" ? 320 << 20 : 64 << 20
        limit = options.limit
        // The processes beside the lanes, and the options of the store.
        var random = SeededRandom(seed: options.seed &+ UInt64(round) &* 7919)
        let deferral = Int.random(in: 0..<3, using: &random)
        (defersRemoval, defersDeletion) = (deferral > 0, deferral > 1)
        hasService = Int.random(in: 0..<3, using: &random) == 0
        hasMonitor = Bool.random(using: &random)
    }
}
