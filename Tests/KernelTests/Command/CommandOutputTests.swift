import LayerStore
import SystemPackage
import TestSupport
import Testing

/// The output and the exit status of each command.
@Suite(.serialized) struct CommandOutputTests {
    /// Runs a command with --json, and gives its standard output to jq.
    private func json(_ arguments: String, _ filter: String) throws -> String {
        try Shell.run(
            "'\(DMLayerCommand.path)' --json \(arguments) 2>/dev/null | jq -e -c -r '\(filter)'")
    }

    /// The standard error of a command with --json, as jq reads it line by line.
    private func messages(_ arguments: String, _ filter: String) throws -> String {
        try Shell.run("'\(DMLayerCommand.path)' --json \(arguments) 2>&1 >/dev/null | jq -r '\(filter)'")
    }

    @Test func everyCommandOfAStorePrintsOneDocument() throws {
        let fixture = try StoreFixture()
        let root = "--root '\(fixture.root)'"
        let archive = fixture.scratch.appending("archive")
        for (command, filter, expected) in [
            ("init", ".filesystem", "ext4"), ("info", ".pool_name | length > 0", "true"),
            ("create a", ".id", "a"), ("create b --parent a", ".parent", "a"),
            ("mount b", ".id", "b"), ("why-busy b", ".[0].kind", "mount"),
            ("list", "[.[].id] | contains([\"a\", \"b\"])", "true"),
            ("tree", ".[0].id", "a"), ("inspect b", ".id", "b"),
            ("resize b 320m", "[.id, .size] | join(\" \")", "b \(320 << 20)"),
            ("changes b", "length", "0"), ("changes b --size", ".size", "0"),
            ("diff b --output '\(archive)'", "[.id, .entries] | join(\" \")", "b 0"),
            ("apply b --input '\(archive)'", ".id", "b"), ("unmount b", "[.id, .state] | join(\" \")", "b unmounted"),
            ("trim", ".ended_removals", "0"), ("pool status", ".mode", "rw"),
            ("pool resize", ".data_total > 0", "true"), ("check", ".clean", "true"),
            ("remove b typo a", "[.[] | .id + \" \" + .state] | join(\",\")", "b removed,typo absent,a removed"),
            ("shutdown", ".state", "down"),
        ] {
            #expect(try json("\(root) \(command)", filter) == expected, "\(command)")
        }
        #expect(try fixture.run("diff b --json").status == 64)
        try fixture.finish()
    }

    @Test func everyCommandAboutADevicePrintsOneDocument() throws {
        let fixture = try DMFixture()
        let name = "\(fixture.prefix)device"
        for (command, filter, expected) in [
            ("version", ".driver_version | length > 0", "true"), ("targets zero", ".[0].name", "zero"),
            ("create \(name) --table '0 10 zero'", ".name", name),
            ("load \(name) --table '0 20 error'", ".inactive_table", "true"),
            ("clear \(name)", ".name + (.inactive_table | tostring)", "\(name)false"),
            ("suspend \(name)", ".suspended", "true"), ("resume \(name)", ".name", name),
            ("rename \(name) --set-uuid \(name)-uuid", ".uuid", "\(name)-uuid"),
            ("rename \(name) \(name)-2", ".name", "\(name)-2"), ("wait \(name)-2 0", ".name", "\(name)-2"),
            ("remove --uuid \(name)-uuid", "[.uuid, .state] | join(\" \")", "\(name)-uuid removed"),
        ] {
            #expect(try json("dm \(command)", filter) == expected, "\(command)")
        }
    }

    @Test func messagesAreJSONToo() throws {
        let fixture = try StoreFixture()
        let root = "--root '\(fixture.root)'"
        #expect(
            try messages("\(root) inspect nothing", "[.level, .message, (.time > 0 | tostring)] | join(\"|\")")
                .hasPrefix("error|"))
        #expect(
            try messages("\(root) remove typo", "[.level, .message] | join(\" \")") == "info there was no layer typo")
        #expect(try fixture.run("remove typo").status == 0)
        #expect(try fixture.run("remove typo").output == "dmlayer: there was no layer typo")
        // The service fails before its log says anything.
        let service = try messages("--root '\(fixture.scratch.path)/other' --storage-opt dm.basesize=0 serve", ".level")
        #expect(service.split(separator: "\n").last == "error")
        // A wrong call is said in text, whatever else was asked for.
        let (status, output) = try fixture.run("--json remove")
        #expect(status == 64 && output.hasPrefix("Error: "), "\(output)")
        try fixture.finish()
    }

    @Test func checkTellsFindingsFromFailure() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("layer"))
        #expect(try fixture.run("check").status == 0)
        try fixture.store.shutdown()
        try Shell.run(
            "cd '\(fixture.root)/metadata' && cp layer '\(fixture.scratch.path)/kept' && echo '{' > layer")
        #expect(try fixture.run("check").status == 2)
        #expect(try json("--root '\(fixture.root)' check", ".clean | not") == "true")
        #expect(try DMLayerCommand.runForStatus("--root '\(fixture.scratch.path)/none' check").status == 1)
        #expect(try fixture.run("check --repair").status == 2)
        try Shell.run("cp '\(fixture.scratch.path)/kept' '\(fixture.root)/metadata/layer'")
        #expect(try fixture.run("check").status == 0)
        try fixture.finish()
    }

    /// The output of a hook does not come between the events.
    @Test func theHookHasStandardErrorForItself() throws {
        let fixture = try StoreFixture()
        let hook = fixture.scratch.appending("hook")
        try fixture.store.create(LayerID("layer"))
        try Shell.run(
            """
            printf '#!/bin/sh\\necho "hook $1"\\n' > '\(hook)' && chmod +x '\(hook)' && cd '\(fixture.scratch.path)'
            '\(DMLayerCommand.path)' --json --root '\(fixture.root)' pool monitor --hook '\(hook)' > events 2> messages &
            for _ in $(seq 200); do grep -q hook messages events && break; sleep 0.1; done
            kill $!; wait $! || true
            """)
        #expect(try Shell.run("cd '\(fixture.scratch.path)' && jq -r .event < events") == "watching")
        #expect(try Shell.run("cd '\(fixture.scratch.path)' && cat messages") == "hook watching")
        try fixture.finish()
    }
}
