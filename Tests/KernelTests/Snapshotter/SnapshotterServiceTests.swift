import Glibc
import LayerArchive
import LayerStore
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import ContainerdSnapshotter

/// A snapshotter beside other commands, and its figures.
@Suite(.serialized) struct SnapshotterServiceTests {
    /// An archive's output that does not go on before it is told.
    private final class HeldOutput: ArchiveOutput, Sendable {
        private let bytes = Atomic(0)
        private let isReleased = Atomic(false)

        var hasBegun: Bool { bytes.load(ordering: .relaxed) > 0 }

        func release() { isReleased.store(true, ordering: .relaxed) }

        func write(contentsOf span: Span<UInt8>) throws(Errno) {
            bytes.add(span.count, ordering: .relaxed)
            while !isReleased.load(ordering: .relaxed) { usleep(1000) }
        }
    }

    /// After a restart of the machine a snapshot has no device, and “dmlayer diff” makes one that is read-only.
    @Test func waitsForWhoReadsASnapshot() throws {
        let fixture = try SnapshotterFixture()
        let snapshotter = fixture.snapshotter
        try fixture.commit("layer")
        let keys = ["mounts", "usage", "commit"]
        for key in keys {
            let mounts = try snapshotter.prepare(key, parent: "layer", kind: .active, labels: [:])
            try fixture.mounted(mounts) { try Shell.run("echo content > '\($0)/file'") }
            try Shell.run(
                "dmsetup remove --retry $(cat /sys/block/\(FilePath(mounts[0].source).lastComponent?.string ?? "")/dm/name)"
            )
        }
        let others = try fixture.base.reopened()
        let outputs = keys.map { _ in HeldOutput() }
        let answered = Atomic(0)
        let layers = try keys.map { try fixture.layer($0) }
        let results = onThreads(2 * keys.count + 1) { index in
            switch index {
            case 0..<keys.count: try others.exportChanges(of: layers[index], to: outputs[index])
            case 2 * keys.count:
                try Patience.until { outputs.allSatisfy(\.hasBegun) }
                usleep(500_000)
                #expect(answered.load(ordering: .relaxed) == 0)
                for output in outputs { output.release() }
            default:
                try Patience.until { outputs.allSatisfy(\.hasBegun) }
                switch keys[index - keys.count] {
                case "mounts": try fixture.mounted(snapshotter.mounts("mounts")) { try Shell.run("touch '\($0)/new'") }
                case "usage": _ = try snapshotter.usage("usage")
                default: try snapshotter.commit("commit", as: "committed", labels: [:])
                }
                answered.add(1, ordering: .relaxed)
            }
        }
        for result in results { try result.get() }
        #expect(answered.load(ordering: .relaxed) == keys.count)

        // The changes are those in the snapshot.
        let changes = try others.changes(of: layers[0])
        #expect(changes.map(\.path.string).sorted() == ["/file", "/new"])
        try fixture.finish()
    }

    #if Daemon
    /// A figure of the page that Prometheus gets.
    private func figure(_ name: String, in metrics: ServiceMetrics, _ snapshotter: Snapshotter) -> String? {
        metrics.text(snapshotter).split(separator: "\n").first { $0.hasPrefix(name + " ") }
            .map { String($0.dropFirst(name.count + 1)) }
    }

    @Test func tellsWhatWaits() throws {
        let fixture = try SnapshotterFixture()
        let snapshotter = fixture.snapshotter
        let metrics = ServiceMetrics()
        for _ in 0..<3 { metrics.begin() }
        metrics.run()
        #expect(figure("dmlayer_snapshotter_calls_waiting", in: metrics, snapshotter) == "2")
        #expect(figure("dmlayer_snapshotter_calls_running", in: metrics, snapshotter) == "1")
        metrics.end("Stat", "ok", .milliseconds(2), hasRun: true)
        metrics.end("Stat", "unavailable", .milliseconds(2), hasRun: false)
        #expect(figure("dmlayer_snapshotter_calls_waiting", in: metrics, snapshotter) == "1")
        #expect(figure("dmlayer_snapshotter_calls_running", in: metrics, snapshotter) == "0")
        let calls = "dmlayer_snapshotter_calls_total{method=\"Stat\",code=\"unavailable\"}"
        #expect(figure(calls, in: metrics, snapshotter) == "1")

        // Two calls on one key.
        let hasKey = Atomic(false)
        let results = onThreads(2) { index in
            if index == 1 { try Patience.until { hasKey.load(ordering: .relaxed) } }
            try snapshotter.gate.with(["key"]) {
                hasKey.store(true, ordering: .relaxed)
                guard index == 0 else { return }
                try Patience.until { figure("dmlayer_snapshotter_calls_blocked", in: metrics, snapshotter) == "1" }
            }
        }
        for result in results { try result.get() }
        #expect(figure("dmlayer_snapshotter_calls_blocked", in: metrics, snapshotter) == "0")

        func commits() -> UInt64? {
            figure("dmlayer_snapshotter_pool_commits_total", in: metrics, snapshotter).flatMap { UInt64($0) }
        }
        let before = try #require(commits())
        let mounts = try snapshotter.prepare("container", parent: "", kind: .active, labels: [:])
        #expect(commits() == before + 1)
        #expect(figure("dmlayer_removals_waiting", in: metrics, snapshotter) == "0")
        try fixture.mounted(mounts) { _ in
            try snapshotter.remove("container")
            #expect(figure("dmlayer_removals_waiting", in: metrics, snapshotter) == "1")
            #expect(commits() == before + 1)
        }
        snapshotter.cleanUp()
        #expect(figure("dmlayer_removals_waiting", in: metrics, snapshotter) == "0")
        #expect(commits() == before + 2)
        try fixture.finish()
    }
    #endif

    /// Prometheus asks every few seconds, also where nobody uses the store.
    @Test func figuresActivateAndReadNothing() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        _ = try store.create(LayerID("layer"))
        func figures(_ words: String) throws -> Int {
            var text = MetricsText()
            try store.poolMetrics().write(to: &text)
            return text.content.split(separator: "\n").filter { $0.contains(words) && $0.hasSuffix(" 1") }.count
        }
        #expect(try figures("dmlayer_pool_up{") == 1)
        #expect(try figures("mode=\"rw\"") == 1)
        // Files that say nothing: they are counted by their names, and those of layers not at all.
        let files = "\(fixture.root)/metadata"
        try Shell.run(
            "cd '\(files)' && echo x >.removed-77 && mv layer kept && echo x >layer")
        #expect(try store.waitingRemovals() == 1)
        #expect(try figures("dmlayer_pool_up{") == 1)
        try Shell.run("cd '\(files)' && rm .removed-77 && mv kept layer")

        try store.shutdown()
        #expect(try figures("dmlayer_pool_up{") == 0)
        #expect(try figures("mode=\"inactive\"") == 1)
        #expect(try fixture.devices() == [])
        try fixture.finish()
    }
}
