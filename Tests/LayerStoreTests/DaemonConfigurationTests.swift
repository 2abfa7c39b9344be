import SystemPackage
import TestSupport
import Testing

@testable import LayerStore

/// Docker's `daemon.json`.
struct DaemonConfigurationTests {
    private func read(_ text: String) throws -> DaemonConfiguration {
        let scratch = try ScratchDirectory()
        let path = scratch.appending("daemon.json")
        let file = try FileDescriptor.open(path, .writeOnly, options: .create, permissions: .ownerReadWrite)
        _ = try file.closeAfter { try file.writeAll(text.utf8) }
        return try DaemonConfiguration(reading: path)
    }

    @Test func readsTheStorageOptionsAndNothingElse() throws {
        let text = """
            {
              "storage-driver": "devicemapper",
              "log-opts": {"max-size": "10m"},
              "storage-opts": ["dm.basesize=20G", "dm.mkfsarg=-O ^has_journal"]
            }
            """
        #expect(try read(text).storageOptions == ["dm.basesize=20G", "dm.mkfsarg=-O ^has_journal"])
        #expect(try read("{}").storageOptions == [])
        #expect(try read(#"{"storage-opts": null, "debug": true}"#).storageOptions == [])
    }

    /// Kubernetes puts a ConfigMap behind two links, and NixOS puts everything behind one.
    @Test func followsALink() throws {
        let scratch = try ScratchDirectory()
        try Shell.run(
            """
            cd '\(scratch.path)' && mkdir data && echo '{"storage-opts": ["dm.fs=xfs"]}' >data/daemon.json
            ln -s data current && ln -s current/daemon.json daemon.json
            """)
        #expect(try DaemonConfiguration(reading: scratch.appending("daemon.json")).storageOptions == ["dm.fs=xfs"])
    }

    @Test(arguments: [#"{"root": "/a\u0000b"}"#, #"{"data-root": "/\u0000"}"#]) func refusesAPathWithANull(text: String)
    {
        #expect(throws: LayerStoreError.self) { try read(text) }
    }

    @Test func readsWhatAServiceNeeds() throws {
        let configuration = try read(
            """
            {
              "root": "/srv/layers",
              "socket": "/run/layers.sock",
              "metrics-socket": "/run/figures.sock",
              "metrics-address": "0.0.0.0:9756",
              "metrics-allow-remote": true,
              "remap-ids": true,
              "space-view": "/run/space",
              "storage-opts": ["dm.fs=ext4"]
            }
            """)
        #expect(configuration.root == "/srv/layers")
        #expect(configuration.socket == "/run/layers.sock")
        #expect(configuration.metricsSocket == "/run/figures.sock")
        #expect(configuration.metricsAddress == "0.0.0.0:9756" && configuration.metricsAllowRemote)
        #expect(configuration.remapsIDs)
        #expect(configuration.spaceView == "/run/space")
        #expect(configuration.storageOptions == ["dm.fs=ext4"])
        let empty = try read("{}")
        #expect(empty.root == nil && empty.socket == nil && empty.metricsSocket == nil)
        #expect(empty.metricsAddress == nil && !empty.metricsAllowRemote && !empty.remapsIDs)
        #expect(empty.spaceView == nil)
    }

    /// Docker's root is the directory of its driver in `data-root`, whose name was `graph` once.
    @Test(
        arguments: [
            (#"{"data-root": "/srv/docker"}"#, "/srv/docker/devicemapper"),
            (#"{"graph": "/srv/docker"}"#, "/srv/docker/devicemapper"),
            (#"{"graph": "/srv/docker", "data-root": "/srv/docker/"}"#, "/srv/docker/devicemapper"),
            (#"{"root": "/srv/docker/devicemapper", "data-root": "/srv/docker"}"#, "/srv/docker/devicemapper"),
            (#"{"root": "/srv/docker/1.1/devicemapper", "userns-remap": "default"}"#, "/srv/docker/1.1/devicemapper"),
            (#"{"data-root": "/srv/docker", "userns-remap": ""}"#, "/srv/docker/devicemapper"),
            (#"{"userns-remap": "default"}"#, nil), ("{}", nil),
        ] as [(String, FilePath?)]) func findsTheRoot(text: String, root: FilePath?) throws
    {
        #expect(try read(text).storeRoot() == root)
    }

    @Test(arguments: [
        (#"{"root": "/srv/layers", "data-root": "/srv/docker"}"#, "names two roots"),
        (#"{"data-root": "/srv/docker", "userns-remap": "default"}"#, "/srv/docker/UID.GID/devicemapper"),
    ]) func refusesARootThatIsNotClear(text: String, message: String) throws {
        let configuration = try read(text)
        #expect { try configuration.storeRoot() } throws: { "\($0)".contains(message) }
    }

    /// Docker's own keys pass, a misspelt key that matters is refused, and any other key is reported.
    @Test func tellsKeysApart() throws {
        #expect(try read(#"{"bip": "1.2.3.4/24", "live-restore": true, "init": true, "ip": "::"}"#).unknownKeys == [])
        #expect(try read(#"{"zebra": 1, "colour": {}, "debug": true}"#).unknownKeys == ["colour", "zebra"])
        for (key, meant) in [
            ("storage-opt", "storage-opts"), ("storage_opts", "storage-opts"), ("Root", "root"), ("rot", "root"),
            ("dataroot", "data-root"), ("metric-socket", "metrics-socket"), ("sokcet", "socket"), ("grahp", "graph"),
        ] {
            #expect { _ = try read("{\"\(key)\": null}") } throws: {
                "\($0)".contains("there is no key “\(key)”; did you mean “\(meant)”?")
            }
        }
    }

    @Test(arguments: [
        ("\u{feff}{}", "it has an invisible character U+FEFF at the start; remove it"),
        ("{\n \u{200b}\"debug\": true}", "an invisible character U+200B at line 2, column 2"),
        ("{\"debug\":\u{a0}true}", "an invisible character U+00A0 at line 1, column 10"),
        ("{\u{0}}", "an invisible character U+0000 at line 1, column 2"),
    ]) func namesWhatNobodySees(text: String, message: String) {
        #expect { _ = try read(text) } throws: { "\($0)".contains(message) }
    }

    /// The error names the file, and the place in it or the key.
    @Test(arguments: [
        ("", "line 1, column 1"), ("{\n  \"storage-opts\": [\n    \"dm.fs=xfs\",\n  ]\n}", "line 4, column 3"),
        ("{\"storage-opts\": [\"dm.fs=xfs\"}", "line 1, column 30"), ("{\"debug\": yes}", "line 1, column 11"),
        ("{\"storage-opts\": \"dm.fs=xfs\"}", "“storage-opts”"),
        ("{\"storage-opts\": {\"dm.fs\": \"xfs\"}}", "“storage-opts”"),
        ("{\"data-root\": \"docker\"}", "“data-root” is “docker”"), ("{\"graph\": 1}", "“graph”"),
        ("{\"graph\": \"/a\", \"data-root\": \"/b\"}", "name different directories"),
        ("{\"storage-opts\": [\"dm.fs=xfs\", 1]}", "“storage-opts.Index 1”"),
        ("{\n  \"root\": \"/srv\"\n  \"socket\": \"/run/s\"\n}", "line 3, column 3"),
        ("{\"socket\": 1}", "“socket”"), ("{\"root\": \"layers\"}", "“root” is “layers”"),
        ("{\"remap-ids\": \"yes\"}", "“remap-ids”"), ("{\"metrics-socket\": \"\"}", "“metrics-socket” is “”"),
    ]) func saysWhereAFileIsWrong(text: String, place: String) throws {
        #expect {
            _ = try read(text)
        } throws: { error in
            guard let error = error as? LayerStoreError, error.code == .invalidOption else { return false }
            return error.description.contains("/daemon.json cannot be understood")
                && error.description.contains(place)
        }
    }

    @Test func saysThatThereIsNoFile() {
        #expect {
            _ = try DaemonConfiguration(reading: "/nowhere/daemon.json")
        } throws: {
            "\($0)".contains("/nowhere")
        }
        #expect {
            _ = try DaemonConfiguration(reading: "/proc/daemon.json")
        } throws: {
            "\($0)".contains("there is no file /proc/daemon.json")
        }
    }
}
