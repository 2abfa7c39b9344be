import LayerStore
import SystemPackage
import TestSupport
import Testing

/// The option `--watch`.
@Suite(.serialized) struct WatchTests {
    private func command(_ fixture: StoreFixture) -> String { "'\(DMLayerCommand.path)' --root '\(fixture.root)'" }

    @Test func printsAgainUntilItIsInterrupted() throws {
        let fixture = try StoreFixture()
        let (status, output) = try Shell.runForStatus(
            "timeout --preserve-status -s INT 8 \(command(fixture)) list --watch 0.2")
        #expect(status == 130)
        // Without a terminal, nothing but an empty line is between the rounds.
        let rounds = output.split(separator: "\n\n").map { $0.split(separator: "\n").joined(separator: " ") }
        #expect(rounds.count >= 3 && Set(rounds).count == 1 && rounds[0].hasPrefix("ID"), "\(output)")
        let lines = try Shell.runForStatus(
            "timeout --preserve-status -s INT 8 \(command(fixture)) --json snapshot list --watch 0.2")
        #expect(lines.status == 130)
        #expect(lines.output.split(separator: "\n").count >= 3 && lines.output.hasPrefix("[]\n[]\n"), "\(lines.output)")
        try fixture.finish()
    }

    @Test func drawsOnATerminal() throws {
        let fixture = try StoreFixture()
        let output = try Shell.run(
            "script -qec \"timeout --preserve-status -s INT 8 \(command(fixture)) list --watch 0.2\" /dev/null </dev/null "
                + "|| [ $? = 130 ]")
        let rounds = output.split(separator: "\u{1B}[H\u{1B}[2J")
        #expect(
            rounds.count >= 2 && rounds.allSatisfy { $0.contains(", every 0.2 s") && $0.contains("base") }, "\(output)")
        try fixture.finish()
    }

    /// A watch activates nothing, keeps no lock between its rounds, and does not collect descriptors.
    @Test func leavesTheStoreToOthers() throws {
        let fixture = try StoreFixture()
        try fixture.store.shutdown()
        let output = fixture.scratch.appending("output")
        let facts = try Shell.run(
            """
            \(command(fixture)) --json pool status --watch 0.1 > '\(output)' 2>&1 & pid=$!
            for i in $(seq 100); do grep -q '"mode":"inactive"' '\(output)' && break; sleep 0.1; done
            first=$(ls /proc/$pid/fd | wc -l); sleep 3; last=$(ls /proc/$pid/fd | wc -l)
            echo $pid $((last - first)) $(ls /proc/$pid/task | wc -l)
            """
        ).split(separator: " ").compactMap { Int($0) }
        #expect(try !fixture.store.isPoolActive())
        try #require(facts.count == 3)
        #expect(abs(facts[1]) <= 6 && facts[2] <= 4, "\(facts)")
        // Somebody else activates the pool, which the watch shows, and takes it down again, alone.
        try fixture.store.create(LayerID("layer"))
        try Shell.run(
            "for i in $(seq 100); do grep -q '\"mode\":\"rw\"' '\(output)' && exit 0; sleep 0.1; done; exit 1")
        try fixture.reopened(patience: .seconds(5)).shutdown()
        try Shell.run("kill \(facts[0])")
        #expect(try Shell.run("jq -r .mode < '\(output)' | sort -u") == "inactive\nrw")
        try fixture.finish()
    }
}
