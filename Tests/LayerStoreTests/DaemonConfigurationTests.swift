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
              "storage-opts": ["dm.fs=ext4"]
            }
            """)
        #expect(configuration.root == "/srv/layers")
        #expect(configuration.socket == "/run/layers.sock")
        #expect(configuration.metricsSocket == "/run/figures.sock")
        #expect(configuration.metricsAddress == "0.0.0.0:9756" && configuration.metricsAllowRemote)
        #expect(configuration.remapsIDs)
        #expect(configuration.storageOptions == ["dm.fs=ext4"])
        let empty = try read("{}")
        #expect(empty.root == nil && empty.socket == nil && empty.metricsSocket == nil)
        #expect(empty.metricsAddress == nil && !empty.metricsAllowRemote && !empty.remapsIDs)
    }

    /// The error names the file, and the place in it or the key.
    @Test(arguments: [
        ("", "line 1, column 1"), ("{\n  \"storage-opts\": [\n    \"dm.fs=xfs\",\n  ]\n}", "line 4, column 3"),
        ("{\"storage-opts\": [\"dm.fs=xfs\"}", "line 1, column 30"), ("{\"debug\": yes}", "line 1, column 11"),
        ("{\"storage-opts\": \"dm.fs=xfs\"}", "“storage-opts”"),
        ("{\"storage-opts\": {\"dm.fs\": \"xfs\"}}", "“storage-opts”"),
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
