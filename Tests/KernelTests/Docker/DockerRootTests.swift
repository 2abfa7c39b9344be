import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// A root that Docker left in order.
@Suite(.serialized) struct DockerRootTests {
    private func names(_ fixture: DockerRootFixture) throws -> [String] {
        try Shell.run("cd '\(fixture.metadata)'; ls | grep -v -- -metadata").split(separator: "\n").map(String.init)
    }

    @Test func listsWhatDockerRecorded() throws {
        let fixture = try DockerRootFixture(hasContent: false)
        let filter = "{device_id, size, transaction_id, initialized, deleted}"
        let names = try names(fixture)
        #expect(names.count == DockerRootFixture.deviceCount)
        #expect(try fixture.value("length", of: "list") == "\(DockerRootFixture.deviceCount)")
        // One line for each device, in the order of their names.
        let recorded = try Shell.run(
            "cd '\(fixture.metadata)'; cat \(names.joined(separator: " ")) | jq --compact-output --sort-keys '\(filter)'"
        )
        #expect(try fixture.value("sort_by(.id)[] | \(filter)", of: "list", "--compact-output --sort-keys") == recorded)
        let details = try Shell.run(
            """
            for name in \(names.joined(separator: " ")); do
                '\(DMLayerCommand.path)' --root '\(fixture.root)' --json inspect $name
            done | jq --compact-output --sort-keys '\(filter)'
            """)
        #expect(details == recorded)
    }

    @Test func showsTheRowsOfDockerInfo() throws {
        let fixture = try DockerRootFixture(hasContent: false)
        let recorded = try Shell.run(
            """
            sed -n '/Pool Name:/,/Library Version:/s/^  //p' '\(DockerRootFixture.files)/docker-info-final.txt'
            """
        ).split(separator: "\n").map(String.init)
        var shown = try fixture.run("info").split(separator: "\n").map(String.init)
        // The row that is not Docker's stands behind all of Docker's.
        #expect(shown.popLast() == "Zero New Blocks: false")
        #expect(recorded.count == 20)
        #expect(recorded.map { $0.prefix { $0 != ":" } } == shown.map { $0.prefix { $0 != ":" } })
        // The lines that name the place, and the line that says that dmlayer does not wait for udev.
        let loops = try Shell.run(
            """
            losetup --list --noheadings --output NAME --associated '\(fixture.root)/devicemapper/data'
            losetup --list --noheadings --output NAME --associated '\(fixture.root)/devicemapper/metadata'
            """
        ).split(separator: "\n")
        try #require(loops.count == 2)
        let others = [
            "Pool Name: \(try fixture.devicePrefix())pool", "Udev Sync Supported: false", "Data file: \(loops[0])",
            "Metadata file: \(loops[1])", "Data loop file: \(fixture.root)/devicemapper/data",
            "Metadata loop file: \(fixture.root)/devicemapper/metadata", "Library Version: swift-devicemapper",
        ]
        // How much is available depends on the file system below the files, which was a larger one.
        let names = Set(others.map { String($0.prefix { $0 != ":" }) } + ["Data Space Available"])
        func isSame(_ row: String) -> Bool { !names.contains(String(row.prefix { $0 != ":" })) }
        #expect(shown.filter(isSame) == recorded.filter(isSame))
        #expect(shown.filter { !isSame($0) && !$0.hasPrefix("Data Space Available") } == others)
    }

    @Test func mountsEveryLayerWithItsContent() throws {
        let fixture = try DockerRootFixture(hasContent: true)
        let before = try fixture.metadataDigest()
        let layers = try names(fixture).filter { $0 != "base" }
        #expect(layers.count == DockerRootFixture.deviceCount - 1)
        for layer in layers {
            let content = try fixture.run("mount \(layer)")
            #expect(content == "\(fixture.root)/mnt/\(layer)/rootfs")
            // All that was recorded, numbers of inodes and counts of blocks too: a mount writes nothing into a layer.
            #expect(try fixture.difference(of: layer, at: "\(fixture.root)/mnt/\(layer)").isEmpty)
            try fixture.run("unmount \(layer)")
        }
        // The base device is no layer, but others are made from it.
        try fixture.run("create empty")
        let empty = try fixture.run("mount empty")
        #expect(try Shell.run("ls -A '\(empty)'").isEmpty)
        try fixture.run("unmount empty")
        try fixture.run("remove empty")
        try fixture.shutDown()

        #expect(try !Shell.run("dmsetup ls").contains(fixture.devicePrefix()))
        #expect(try Shell.run("losetup --list --noheadings --associated '\(fixture.root)/devicemapper/data'").isEmpty)
        #expect(try fixture.metadataDigest() == before)
        #expect(try fixture.thinDevices() == fixture.registeredDevices())
        #expect(try fixture.thinDevices().count == DockerRootFixture.deviceCount)
    }

    @Test func keepsItsOwnLayersBesideDockers() throws {
        let fixture = try DockerRootFixture(hasContent: true)
        try fixture.run("create ours --parent \(DockerRootFixture.leaf)")
        let content = try fixture.run("mount ours")
        try Shell.run("echo hello > '\(content)/ours'")
        try fixture.shutDown()
        // Docker's number of the transaction stays, for Docker compares it with its own.
        #expect(
            try fixture.askPoolMetadata("thin_dump %").contains("transaction=\"\(DockerRootFixture.transactionID)\""))
        try fixture.run("mount ours")
        #expect(try Shell.run("cat '\(content)/ours'") == "hello")
        #expect(try fixture.difference(of: DockerRootFixture.leaf, at: "\(fixture.root)/mnt/ours").contains("/ours\""))
        try fixture.run("remove ours")
        try fixture.shutDown()
        #expect(try fixture.thinDevices() == fixture.registeredDevices())
    }

    /// An `init` that fails leaves no file that Docker's root did not have.
    @Test func keepsNoFileOfAnInitThatFails() throws {
        let fixture = try DockerRootFixture(hasContent: false)
        let before = try names(fixture)
        let transport = FaultyTransport(try KernelTransport())
        let options = try StorageOptions(parsing: ["dm.error_if_no_space=true"])
        _ = try LayerStore(opening: fixture.root).status()
        transport.failAlways(.loadTable, after: 0)
        #expect(throws: LayerStoreError.self) {
            try LayerStore.initialize(fixture.root, options: options, transport: transport)
        }
        #expect(!fixture.root.appending("store.json").exists)
        transport.disarm()
        let store = try LayerStore.initialize(fixture.root, options: options, transport: transport)
        #expect(fixture.root.appending("store.json").exists)
        try store.shutdown()
        #expect(try names(fixture) == before)
    }

    @Test func leavesAPoolThatDockerHasActivatedAlone() throws {
        let fixture = try DockerRootFixture(hasContent: true)
        let name = try fixture.devicePrefix() + "pool"
        try Shell.run(
            """
            set -e
            cd '\(fixture.root)/devicemapper'
            data=$(losetup --find --show data) metadata=$(losetup --find --show metadata)
            dmsetup create '\(name)' --table "0 4194304 thin-pool $metadata $data 128 32768 1 skip_block_zeroing"
            losetup --detach $data $metadata
            """)
        let before = try Shell.run("dmsetup table; losetup --list --noheadings --output NAME,BACK-FILE")
        for command in ["info", "mount \(DockerRootFixture.leaf)", "create ours", "remove \(DockerRootFixture.leaf)"] {
            let (status, output) = try fixture.runForStatus(command)
            #expect(status == 1)
            #expect(output.contains("the pool \(name) ("))
            #expect(output.contains("Stop Docker"))
        }
        #expect(try fixture.run("list").split(separator: "\n").count == DockerRootFixture.deviceCount + 1)
        #expect(try Shell.run("dmsetup table; losetup --list --noheadings --output NAME,BACK-FILE") == before)
        try DMLayerCommand.run("dm remove '\(name)'")
        try fixture.run("mount \(DockerRootFixture.leaf)")
    }

    @Test func refusesACopyWhileTheOriginalIsActive() throws {
        let fixture = try DockerRootFixture(hasContent: false)
        try fixture.run("info")
        let copy = fixture.scratch.appending("copy")
        try Shell.run("cp --archive --sparse=always '\(fixture.root)' '\(copy)'")
        for command in ["info", "create ours", "mount \(DockerRootFixture.leaf)", "shutdown"] {
            let (status, output) = try DMLayerCommand.runForStatus("--root '\(copy)' \(command)")
            #expect(status == 1)
            #expect(output.contains("is a copy"))
        }
        try fixture.shutDown()
        try DMLayerCommand.run("--root '\(copy)' create ours")
        try DMLayerCommand.run("--root '\(copy)' shutdown")
        #expect(try fixture.thinDevices().count == DockerRootFixture.deviceCount)
    }
}
