import SystemPackage
import TestSupport
import Testing

/// The content of the layers and containers of a root that Docker left, judged by what Docker printed and exported.
@Suite(.serialized) struct DockerRootContentTests {
    /// A layer, how the names of its device and of the directory of its archive begin, and its parent's device.
    private struct Layer {
        let device: String
        let archive: String
        let parent: String?
        /// The file with what `docker diff` printed of the container that it was made of.
        var changes: String?
    }

    private static let layers = [
        Layer(device: "c0cb3784", archive: "c5ce0542", parent: nil),
        Layer(device: "6488c028", archive: "8a0afa51", parent: "c0cb3784", changes: "diff-b2.txt"),
        Layer(device: "4184030a", archive: "376f6555", parent: "6488c028", changes: "diff-b3.txt"),
        Layer(device: "5a1bd04b", archive: "b03f78e5", parent: "4184030a", changes: "diff-b4.txt"),
        Layer(device: "d73dfe36", archive: "f5a18ad6", parent: "c0cb3784"),
        Layer(device: "a6f81e06", archive: "d85e777d", parent: "d73dfe36"),
        Layer(device: "8ded28a5", archive: "d3d73a3b", parent: "a6f81e06"),
        Layer(device: "6a9777f1", archive: "9fb1af5b", parent: "8ded28a5"),
    ]
    /// The container that ran, and the one that never did.
    private static let containers = ["e111e193", "20ed510e"]

    private let fixture: DockerRootFixture
    private let command: String
    private let saved: String

    init() throws {
        fixture = try DockerRootFixture(hasContent: true)
        command = "'\(DMLayerCommand.path)' --root '\(fixture.root)'"
        saved = fixture.scratch.appending("saved").string
        try Shell.run("mkdir '\(saved)'; tar -C '\(saved)' -xf '\(DockerRootFixture.files)/save-all.tar.xz'")
    }

    /// The whole name of a device.
    private func device(_ beginning: String, _ end: String = "") throws -> String {
        let name = try Shell.run("cd '\(fixture.metadata)'; ls -d \(beginning)*\(end) | head -n 1")
        return name
    }

    @Test func listsTheChangesThatDockerListed() throws {
        let (files, scratch) = (DockerRootFixture.files, fixture.scratch.path)
        var recorded = try Self.layers.compactMap { layer in
            try layer.changes.map {
                (try device(layer.device), try device(layer.parent ?? ""), "grep -v '^A /data/sock$' '\(files)/\($0)'")
            }
        }
        for (container, changes) in zip(Self.containers, ["cat '\(files)/diff-c1.txt'", "true"]) {
            recorded.append((try device(container), try device(container, "-init"), changes))
        }
        #expect(recorded.count == 5)
        // Docker's answer is JSON, which has no way to say a name that is not UTF-8.
        let utf8 = #"import sys; sys.stdout.buffer.write(sys.stdin.buffer.read().decode("utf-8", "replace").encode())"#
        for (layer, parent, changes) in recorded {
            try Shell.run(
                """
                export LC_ALL=C
                \(changes) | sort > '\(scratch)/expected'
                \(command) changes \(layer) --parent \(parent) | python3 -c '\(utf8)' | sort > '\(scratch)/found'
                cmp '\(scratch)/expected' '\(scratch)/found'
                """)
        }
        #expect(try Shell.run("wc -l < '\(files)/diff-c1.txt'") == "14")
        // Docker does not record what a layer was made from.
        let all = try fixture.run("changes \(device(Self.containers[1]))").split(separator: "\n")
        #expect(all.count > 80 && all.allSatisfy { !$0.hasPrefix("C ") && !$0.hasPrefix("D ") })
    }

    @Test func writesTheLayersThatDockerSaved() throws {
        let list = "python3 '\(DockerRootFixture.files)/archive.py'"
        for layer in Self.layers {
            guard let parent = layer.parent else { continue }
            let (name, parentName) = (try device(layer.device), try device(parent))
            let lines = try Shell.run(
                """
                set -e
                cd '\(fixture.scratch.path)'
                cat '\(saved)'/\(layer.archive)*/layer.tar | \(list) > expected
                \(command) diff \(name) --parent \(parentName) --docker | \(list) > found
                cmp expected found
                # With nothing lost, there are more attributes, and everything else is the same.
                strip() { jq --compact-output 'del(.attributes)'; }
                strip < expected > expected-names
                \(command) diff \(name) --parent \(parentName) | \(list) | strip | cmp - expected-names
                wc -l < expected
                """)
            #expect(Int(lines) ?? 0 > 1)
        }
        // The containers: what docker diff lists, but for the socket that no archive holds, is what is in the archive.
        let (container, parent) = (try device(Self.containers[0]), try device(Self.containers[0], "-init"))
        let names = try Shell.run(
            """
            \(command) diff \(container) --parent \(parent) | tar -tf - | sed 's|/$||; s|^|/|; s|/[.]wh[.]|/|' | sort
            """)
        #expect(
            try Shell.run("cut -c 3- '\(DockerRootFixture.files)/diff-c1.txt' | sort") == names)
        #expect(
            try Shell.run(
                "\(command) diff \(device(Self.containers[1])) --parent \(device(Self.containers[1], "-init")) | wc -c")
                == "1024")
    }

    /// Docker's archives, and those that are exported here, are unpacked onto new layers beside Docker's.
    @Test func reproducesEveryLayer() throws {
        // The files on a device below its rootfs, without their place on the disk.
        let manifest = """
            manifest() {
                jq --compact-output 'select((.path | type) != "string" or (.path | startswith("/rootfs/"))) | del(.ino, .blocks)
                    | if .mode | startswith("0o4") then del(.nlink) else . end' | sort
            }
            """
        for (prefix, export) in [("saved", false), ("exported", true)] {
            for layer in Self.layers {
                let parent = try layer.parent.map { ($0, try device($0)) }
                let source =
                    export
                    ? "\(command) diff \(try device(layer.device)) \(parent.map { "--parent \($0.1)" } ?? "")"
                    : "cat '\(saved)'/\(layer.archive)*/layer.tar"
                try Shell.run(
                    """
                    set -e
                    \(manifest)
                    cd '\(fixture.scratch.path)'
                    \(command) create \(prefix)-\(layer.device) \(parent.map { "--parent \(prefix)-\($0.0)" } ?? "")
                    \(source) | \(command) apply \(prefix)-\(layer.device)
                    path=$(\(command) mount \(prefix)-\(layer.device))
                    tar -xOf '\(DockerRootFixture.files)/manifests.tar.xz' './\(device(layer.device)).jsonl' | manifest > expected
                    python3 '\(DockerRootFixture.files)/manifest.py' "${path%/rootfs}" | manifest > found
                    \(command) unmount \(prefix)-\(layer.device)
                    test $(wc -l < expected) -gt 80
                    diff expected found
                    """)
            }
        }
        try fixture.shutDown()
        #expect(try fixture.thinDevices() == fixture.registeredDevices())
    }
}
