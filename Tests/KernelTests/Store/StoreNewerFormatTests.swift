import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Files that a newer version of this program has written.
@Suite(.serialized) struct StoreNewerFormatTests {
    /// Puts a field in front of the others in the object that begins behind `start`.
    private func add(_ field: String, to file: FilePath, behind start: String = "{") throws {
        try Shell.run(
            """
            FIELD='\(field)' START='\(start)' perl -0pi -e 's/\\Q$ENV{START}\\E/$ENV{START}$ENV{FIELD},/' '\(file)'
            """)
    }

    private func count(_ text: String, in file: FilePath) throws -> String {
        try Shell.runForStatus("grep -cF '\(text)' '\(file)'").output
    }

    @Test func keepsItsFields() throws {
        let fixture = try StoreFixture()
        let (settings, metadata) = (fixture.root.appending("store.json"), fixture.root.appending("metadata"))
        #expect(try count(#""format":1"#, in: settings) == "1")
        try fixture.store.create(LayerID("a"))
        #expect(try count(#""format":1"#, in: metadata.appending("a")) == "1")
        try add(#""zebra":[1,null]"#, to: metadata.appending("a"))
        try add(#""zebra":{"x":1.5}"#, to: settings)
        try add(#""stripes":2"#, to: settings, behind: #""pool":{"#)

        for command in [
            "resize a 400m", "resize base 350m", "pool resize 1100m", "init --storage-opt dm.min_free_space=2%",
            "mount a", "unmount a",
        ] {
            let (status, output) = try fixture.run(command)
            #expect(status == 0, "\(command): \(output)")
        }
        #expect(try count(#""zebra":[1,null]"#, in: metadata.appending("a")) == "1")
        #expect(try count(#""size":419430400"#, in: metadata.appending("a")) == "1")
        #expect(try count(#""zebra":{"x":1.5}"#, in: settings) == "1")
        #expect(try count(#""stripes":2"#, in: settings) == "1")
        #expect(try count(#""data_file_size":1153433600"#, in: settings) == "1")

        let id = try LayerID("s")
        _ = try fixture.store.createSnapshot(
            id, parent: nil, size: nil, SnapshotRecord(key: "k", kind: .active, parent: "", labels: [:], time: 1))
        try add(#""zebra":"s""#, to: metadata.appending("s"))
        try add(#""stripes":"t""#, to: metadata.appending("s"), behind: #""snapshot":{"#)
        _ = try fixture.store.updateSnapshot(id) { $0.labels["l"] = "m" }
        _ = try fixture.store.commitSnapshot(id) { $0.kind = .committed }
        for text in [#""zebra":"s""#, #""stripes":"t""#, #""kind":"committed""#, #""l":"m""#] {
            #expect(try count(text, in: metadata.appending("s")) == "1", "\(text)")
        }
        try fixture.finish()
    }

    @Test func isRefusedAsAStore() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("a"))
        let settings = fixture.root.appending("store.json")
        let before = try Shell.run("cat '\(settings)'")
        try Shell.run("sed -i 's/\"format\":1/\"format\":2/' '\(settings)'")
        let newer = try Shell.run(
            "find '\(fixture.root)' -path '*/devicemapper' -prune -o -type f -print0 | xargs -0 sha256sum")
        for command in [
            "list", "info", "create b", "mount a", "remove a", "resize a 400m", "trim", "shutdown", "pool status",
            "init",
            "init --storage-opt dm.basesize=1g",
        ] {
            let (status, output) = try fixture.run(command)
            #expect(status == 1, "\(command)")
            #expect(output.contains("it has format 2"), "\(command): \(output)")
        }
        #expect(
            try Shell.run(
                "find '\(fixture.root)' -path '*/devicemapper' -prune -o -type f -print0 | xargs -0 sha256sum")
                == newer)
        try Shell.run("cat >'\(settings)' <<'END'\n\(before)\nEND")
        #expect(try fixture.run("mount a").status == 0)
        try fixture.finish()
    }

    /// No thin device that such a file may be about is deleted, not even by the recovery after a crash.
    @Test func isRefusedAsALayer() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("a"))
        try fixture.store.create(LayerID("b"))
        let file = fixture.root.appending("metadata/a")
        let before = try Shell.run("cat '\(file)'")
        // Of the number as well, which stands where another version of the program looks for it.
        try Shell.run("printf '%s' '{\"format\":2,\"device\":{\"of\":\"pool\"}}' >'\(file)'")
        let (status, output) = try fixture.run("mount a")
        #expect(status == 1 && output.contains("it has format 2"), "\(output)")
        for command in ["resize a 400m", "remove a", "create c --parent a"] {
            #expect(try fixture.run(command).status == 1, "\(command)")
        }
        try fixture.takeDownAsACrashDoes()
        let devices = try fixture.thinDeviceIDs()
        #expect(try fixture.run("create c --parent b").status == 0)
        #expect(try fixture.run("trim").status == 0)
        try fixture.store.shutdown()
        #expect(try Set(fixture.thinDeviceIDs()).isSuperset(of: devices))
        #expect(try Shell.run("cat '\(file)'") == #"{"format":2,"device":{"of":"pool"}}"#)
        try Shell.run("cat >'\(file)' <<'END'\n\(before)\nEND")
        #expect(try fixture.run("mount a").status == 0)
        try fixture.finish()
    }
}
