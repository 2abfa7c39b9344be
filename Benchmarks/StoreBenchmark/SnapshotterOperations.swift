import Glibc
import SystemPackage
import TestSupport

/// The calls that containerd waits for: “dmlayer serve” over its socket, beside the floor on the same pool.
struct SnapshotterOperations {
    let fixture: BenchmarkStore
    let place: Place
    let isQuick: Bool
    let command: String

    private static let clients = 8

    /// The service and the floor of what it does.
    private final class Service: Sendable {
        let socket: FilePath
        private let process: pid_t

        init(_ command: String, root: FilePath) throws {
            socket = root.removingLastComponent().appending("socket")
            let arguments = [command, "--root", root.string, "serve", "--socket", socket.string]
            var argv: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
            defer { unsafe argv.forEach { unsafe free($0) } }
            var actions = unsafe posix_spawn_file_actions_t()
            unsafe posix_spawn_file_actions_init(&actions)
            defer { unsafe posix_spawn_file_actions_destroy(&actions) }
            unsafe posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
            var process = pid_t()
            let result = unsafe posix_spawn(&process, command, &actions, nil, &argv, environ)
            guard result == 0 else { throw Errno(rawValue: result) }
            self.process = process
            let socket = socket
            try Patience.until { (try? SnapshotterClient(socket)) != nil }
        }

        func connected() throws -> SnapshotterClient { try SnapshotterClient(socket) }

        deinit {
            kill(process, SIGTERM)
            waitpid(process, nil, 0)
        }
    }

    func run() throws -> (operations: [Report.Operation], concurrency: Report.Concurrency) {
        let service = try Service(command, root: fixture.root)
        let client = try service.connected()
        try client.prepare("parent work", parent: "")
        try client.commit("parent work", as: "parent")
        let results = (try oneAfterTheOther(client), try manyAtATime(service))
        try client.remove("parent")
        try fixture.waitForRemovals()
        return results
    }

    private func prepareFloor(_ id: UInt32) throws {
        try fixture.raw.create(id, of: fixture.imageDevice)
        try fixture.raw.activate(id)
    }

    private func removeFloor(_ ids: [UInt32]) throws {
        for id in ids {
            try fixture.raw.deactivate(id)
            try fixture.raw.delete(id)
        }
    }

    private func oneAfterTheOther(_ client: SnapshotterClient) throws -> [Report.Operation] {
        let rounds = isQuick ? 20 : 100
        let keys = (0..<rounds).map { "key-\($0)" }
        let ids = (0..<rounds).map { RawLayers.firstID + 900_000 + UInt32($0) }
        var (prepares, commits) = (Comparison(), Comparison())
        try prepares.alternate(rounds) {
            try client.prepare(keys[$0], parent: "parent")
        } floor: {
            try prepareFloor(ids[$0])
        }
        try commits.alternate(rounds) {
            try client.commit(keys[$0], as: "layer-\($0)")
        } floor: { _ in
            try fixture.raw.note()
        }
        var stats = Samples()
        for _ in 0..<rounds { try stats.measure { try client.stat("parent") } }
        for index in 0..<rounds { try client.remove("layer-\(index)") }
        try removeFloor(ids)
        try fixture.waitForRemovals()

        func counted(_ body: (Int) throws -> Void) throws -> Double {
            try fixture.commits { for index in 0..<10 { try body(index) } } / 10
        }
        var (prepare, commit) = (
            operation("Prepare", prepares, floorIs: "create_snap, write, fdatasync, create, load, resume"),
            operation("Commit", commits, floorIs: "write, fdatasync")
        )
        prepare.commits = try counted { try client.prepare(keys[$0], parent: "parent") }
        commit.commits = try counted { try client.commit(keys[$0], as: "layer-\($0)") }
        prepare.floorCommits = try counted { try prepareFloor(ids[$0]) }
        for index in 0..<10 { try client.remove("layer-\(index)") }
        try removeFloor(Array(ids[..<10]))
        try fixture.waitForRemovals()
        let stat = Report.Operation(
            name: "Stat", place: place, ours: stats.summary, floor: nil, floorIs: "none: a call that only answers")
        return [stat, prepare, commit]
    }

    private func operation(_ name: String, _ comparison: Comparison, floorIs: String) -> Report.Operation {
        Report.Operation(
            name: name, place: place, ours: comparison.ours.summary, floor: comparison.floor.summary, floorIs: floorIs)
    }

    /// Eight clients on eight connections beside one.
    private func manyAtATime(_ service: Service) throws -> Report.Concurrency {
        let each = isQuick ? 2 : 10
        let all = Self.clients * each
        let ids = (0..<all).map { RawLayers.firstID + 950_000 + UInt32($0) }
        var (one, eight, floorOne, floorEight) = (Samples(), Samples(), Samples(), Samples())
        func prepare(_ clients: Int) throws {
            let results = onThreads(clients) { thread in
                let client = try service.connected()
                for index in 0..<(all / clients) { try client.prepare("many-\(thread)-\(index)", parent: "parent") }
            }
            for result in results { try result.get() }
        }
        func remove(_ clients: Int) throws {
            let client = try service.connected()
            for thread in 0..<clients {
                for index in 0..<(all / clients) { try client.remove("many-\(thread)-\(index)") }
            }
            try fixture.waitForRemovals()
        }
        func prepareFloor(_ threads: Int) throws {
            let results = onThreads(threads) { [self] thread in
                let each = all / threads
                for index in 0..<each { try self.prepareFloor(ids[thread * each + index]) }
            }
            for result in results { try result.get() }
        }
        for _ in 0..<(isQuick ? 2 : 7) {
            try one.measure { try prepare(1) }
            try remove(1)
            try eight.measure { try prepare(Self.clients) }
            try remove(Self.clients)
            try floorOne.measure { try prepareFloor(1) }
            try removeFloor(ids)
            try floorEight.measure { try prepareFloor(Self.clients) }
            try removeFloor(ids)
        }
        return Report.Concurrency(
            name: "Prepare", place: place, operations: all, oneThread: one.summary, eightThreads: eight.summary,
            floorOneThread: floorOne.summary, floorEightThreads: floorEight.summary)
    }
}
