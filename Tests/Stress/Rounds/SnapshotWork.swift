import LayerStore
import Synchronization
import SystemCalls
import SystemPackage
import TestSupport

/// A client of the service, which makes, commits and removes snapshots while the service ends and begins again.
///
/// A call whose connection broke off may have been carried out or not; every other call must be.
final class SnapshotWork: Sendable {
    private struct State {
        /// The committed snapshots that must be there, and those that must not.
        var present: Set<String> = []
        var absent: Set<String> = []
        var calls = 0
        var fault: String?
        var isEnding = false
        var hasEnded = true
    }

    private let settings: RoundSettings
    private let state = Mutex(State())

    init(_ settings: RoundSettings) {
        self.settings = settings
    }

    func start() {
        state.withLock { $0.hasEnded = false }
        startThread { [self] in
            var random = SeededRandom(seed: settings.laneSeed(process: 98, thread: 0))
            var number = 0
            while !state.withLock({ $0.isEnding || $0.fault != nil }) {
                do {
                    let client = try SnapshotterClient(FilePath("\(settings.work)/socket"))
                    while !state.withLock(\.isEnding) {
                        number += 1
                        try work(client, number, using: &random)
                    }
                } catch let error as SnapshotterClient.Failure where error.isRefusal {
                    let fault = "snapshot \(number): \(error); the service said:\n\(wordsOfService)"
                    state.withLock { $0.fault = fault }
                } catch {
                    // The service has ended, or is not ready yet.
                    pause(for: .milliseconds(50))
                }
            }
            state.withLock { $0.hasEnded = true }
        }
    }

    /// The last lines of the service's log, with the reason of a refusal.
    private var wordsOfService: String {
        do {
            return try Shell.run("tail -n 5 '\(settings.work)/service.log'")
        } catch {
            return "\(error)"
        }
    }

    /// Makes a snapshot, perhaps of another one, commits it, and removes one now and then.
    private func work(_ client: SnapshotterClient, _ number: Int, using random: inout SeededRandom) throws {
        let (work, name) = ("r\(settings.round)-work-\(number)", "r\(settings.round)-snapshot-\(number)")
        let known = state.withLock { $0.present.sorted() }
        let parent = Bool.random(using: &random) ? known.randomElement(using: &random) ?? "" : ""
        try client.prepare(work, parent: parent)
        try client.commit(work, as: name)
        state.withLock { state in
            state.calls += 2
            state.present.insert(name)
        }
        try client.stat(name)
        // It has no children yet.
        guard known.count > 4 || Bool.random(using: &random) else { return }
        state.withLock { _ = $0.present.remove(name) }
        try client.remove(name)
        state.withLock { state in
            state.calls += 1
            state.absent.insert(name)
        }
    }

    /// Ends the client.
    ///
    /// - Returns: The faults that were found.
    func end() throws -> [String] {
        state.withLock { $0.isEnding = true }
        try Patience.until(.seconds(settings.limit + 30)) { state.withLock(\.hasEnded) }
        let calls = state.withLock(\.calls)
        if calls > 0 { say("  snapshots: \(calls) calls of the service were answered") }
        return state.withLock { $0.fault.map { [$0] } ?? [] }
    }

    /// The snapshots that are missing although they were acknowledged, or present although their removal was.
    func faults(in store: LayerStore) throws -> [String] {
        var found: Set<String> = []
        for case .layer(_, let record) in try store.layers() {
            if let snapshot = record.snapshot, snapshot.kind == .committed { found.insert(snapshot.key) }
        }
        let state = state.withLock { $0 }
        return state.present.subtracting(found).sorted().map { "the snapshot \($0) is lost" }
            + state.absent.intersection(found).sorted().map { "the snapshot \($0) is there, which was removed" }
    }
}
