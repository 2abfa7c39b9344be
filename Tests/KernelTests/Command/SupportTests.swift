import Glibc
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// The archive for a report.
@Suite(.serialized) struct SupportTests {
    private let scratch: ScratchDirectory

    init() throws {
        scratch = try ScratchDirectory()
    }

    /// Makes the archive, and unpacks it.
    private func bundle(root: FilePath) throws -> FilePath {
        let archive = scratch.appending("support.tar")
        try Shell.run("'\(DMLayerCommand.path)' support --root '\(root)' -o '\(archive)' >'\(scratch.path)/said'")
        try Shell.run("rm -rf '\(scratch.path)/dmlayer-support'; tar -xf '\(archive)' -C '\(scratch.path)'")
        return scratch.appending("dmlayer-support")
    }

    @Test func hasWhatAReportNeedsAndNoSecret() throws {
        let fixture = try StoreFixture()
        _ = try fixture.store.create(LayerID("a-layer"))
        let key = String(repeating: "5a", count: 32)
        try Shell.run(
            """
            truncate -s 1M '\(scratch.path)/disk'
            device=$(losetup --find --show '\(scratch.path)/disk')
            dmsetup create a-secret --table "0 2048 crypt aes-xts-plain64 \(key) 0 $device 0"
            echo 'device-mapper: a word of the test' >/dev/kmsg; echo 'a password of another' >/dev/kmsg
            """)
        defer {
            _ = try? Shell.run(
                "dmsetup remove --retry a-secret; losetup --detach $(losetup --noheadings --output NAME --associated '\(scratch.path)/disk')"
            )
        }
        let files = try bundle(root: fixture.root)
        #expect(try Shell.run("dmsetup table --showkeys a-secret").contains(key))
        #expect(try Shell.run("grep -rl \(key) '\(files)' || true") == "")
        let contents = [
            "version.txt": "0.1.0", "dm-version.txt": "4.", "dm-targets.txt": "thin-pool", "dm-ls.txt": "a-secret",
            "dm-info.txt": "a-secret", "dm-table.txt": "aes-xts-plain64 00000", "dm-status.txt": "thin-pool",
            "dm-tree.txt": "a-secret", "info.json": "\"base_size\"", "pool-status.json": "\"mode\"",
            "check.json": "\"findings\"", "list.json": "a-layer", "kernel.txt": "Linux version", "system.txt": "NAME=",
            "mounts.txt": "\(fixture.root.removingLastComponent())", "kernel-log.txt": "a word of the test",
        ]
        for (name, words) in contents {
            let text = try TextFile.read(files.appending(name))
            #expect(text.contains(words), "\(name): \(text.prefix(500))")
        }
        #expect(try !TextFile.read(files.appending("kernel-log.txt")).contains("a password of another"))
        #expect(try Shell.run("grep -rl 'exit status' '\(files)' || true") == "")
        #expect(try Shell.run("stat -c %a '\(scratch.path)/support.tar'") == "600")
        try fixture.finish()
    }

    /// A host that does not work is the one that needs a report.
    @Test func saysWhatIsMissing() throws {
        let files = try bundle(root: scratch.appending("nothing"))
        #expect(try TextFile.read(files.appending("store.txt")).hasPrefix("The store cannot be asked: "))
        #expect(try TextFile.read(files.appending("dm-version.txt")).contains("4."))
        #expect(try Shell.run("ls '\(files)' | grep -c json || true") == "0")
    }

    /// A configuration file of Docker's can have passwords, which must not get into the archive.
    @Test func saysWhatIsWrongWithTheConfiguration() throws {
        for (content, words) in [
            (#"{"storage-opt"#, "cannot be understood"), (#"{"log-opts": {"token": "secret"}}"#, "root:"),
        ] {
            let file = scratch.appending("config.json")
            try TextFile.write(content, to: file)
            try Shell.run(
                "'\(DMLayerCommand.path)' support --config '\(file)' -o '\(scratch.path)/support.tar' || true")
            try Shell.run("tar -xf '\(scratch.path)/support.tar' -C '\(scratch.path)'")
            let text = try TextFile.read(scratch.appending("dmlayer-support/configuration.txt"))
            #expect(text.contains(words) && !text.contains("secret"), "\(text)")
        }
    }

    @Test func leavesThePoolAsItWas() throws {
        let fixture = try StoreFixture()
        try fixture.store.shutdown()
        let files = try bundle(root: fixture.root)
        #expect(try TextFile.read(files.appending("pool-status.json")).contains("\"ro\""))
        #expect(try Shell.run("dmsetup ls") == "No devices found")
        try fixture.finish()
    }
}
