import Glibc
import LayerStore
import Synchronization
import SystemCalls
import SystemPackage
import TestSupport

/// A process with several lanes, one on each thread.
struct LaneProcess {
    private let settings: RoundSettings
    private let process: Int
    private let tool = FilePath(CommandLine.arguments[0])

    init(_ settings: RoundSettings, process: Int) {
        self.settings = settings
        self.process = process
    }

    /// Runs the lanes to their end, and leaves what must be true of their layers in files.
    ///
    /// - Returns: The exit status.
    func run() throws -> CInt {
        let running = RunningOperations(limit: .seconds(settings.limit))
        // All of them before the first operation of the library.
        let agents = try (0..<settings.threads).map { thread in
            try (0..<2).map { place in
                try CommandAgent(
                    tool: tool, command: settings.command,
                    place: FilePath("\(settings.work)/p\(process)t\(thread)a\(place)"))
            }
        }
        running.watch()
        let root = FilePath(settings.root)
        let shared = try running.watching("open the store") {
            try LayerStore(opening: root, patience: settings.patience)
        }
        watchTheStore(shared, running)
        let results = onThreads(settings.threads) { thread in
            let name = "p\(process)t\(thread)-"
            let stores = LaneStores(
                lane: name, shared: shared,
                own: try LayerStore(opening: root, removals: .beforeReturning, patience: settings.patience),
                agents: agents[thread], running: running,
                archives: (0..<2).map { FilePath("\(settings.work)/\(name)archive\($0)") })
            var lane = Lane(
                stores, settings.rules, round: settings.round, seed: settings.laneSeed(process: process, thread: thread)
            )
            do {
                let model = try lane.run(settings.pairs(process: process, thread: thread))
                try KeptLayers(model).write(to: FilePath("\(settings.work)/\(name)kept"))
            } catch {
                say("FAULT: lane \(name): \(error)")
                throw error
            }
        }
        say("longest \(running.longest)")
        return results.allSatisfy { (try? $0.get()) != nil } ? 0 : 1
    }

    /// Asks the store for its state again and again, which must not fail and has what a killed command left suspended resumed.
    private func watchTheStore(_ store: LayerStore, _ running: RunningOperations) {
        startThread {
            while true {
                do {
                    _ = try running.watching("list") { try store.layers() }
                    _ = try running.watching("status") { try store.status() }
                    if let failure = store.removalFailure { say("note: a removal failed: \(failure)") }
                } catch {
                    say("FAULT: the state of the store: \(error)")
                    exit(1)
                }
                pause(for: .milliseconds(400))
            }
        }
    }
}

/// The files that must be in the layers at the end of a round.
struct KeptLayers {
    private(set) var files: [String: Set<String>]

    init(_ model: StoreModel) {
        files = model.layers.mapValues { $0.files.subtracting($0.torn) }
    }

    init(_ path: FilePath) throws {
        files = [:]
        for line in try TextFile.read(path).split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            files[words[0]] = Set(words.dropFirst())
        }
    }

    func write(to path: FilePath) throws {
        let lines = files.sorted { $0.key < $1.key }.map { ([$0] + $1.sorted()).joined(separator: " ") + "\n" }
        try TextFile.write(lines.joined(), to: path)
    }
}
