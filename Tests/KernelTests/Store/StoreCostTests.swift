import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// The cost of operations, counted in the kernel.
@Suite(.serialized) struct StoreCostTests {
    /// How many flushes the kernel has sent to the file behind the pool's metadata: two for each commit.
    private func metadataFlushes(_ fixture: StoreFixture) throws -> Int {
        let device = try Shell.run(
            "basename $(losetup --list --noheadings --output NAME --associated '\(fixture.root)/devicemapper/metadata')"
        )
        // Documentation/block/stat.rst: the 16th field.
        return try #require(Int(try Shell.run("awk '{ print $16 }' /sys/block/\(device)/stat")))
    }

    /// Runs `body` and returns how many commits the pool has made in it.
    private func commits(_ fixture: StoreFixture, flushesPerCommit: Int, _ body: () throws -> Void) throws -> Int {
        let before = try metadataFlushes(fixture)
        try body()
        return (try metadataFlushes(fixture) - before) / flushesPerCommit
    }

    @Test func commitsOnceForALayerAndNotForMore() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        try store.create(LayerID("parent"))

        // The unit: what a commit that is asked for costs on this kernel.
        let pool = try #require(try fixture.devices().first { $0.hasSuffix("-pool") })
        let before = try metadataFlushes(fixture)
        for _ in 0..<10 { _ = try Control().status(of: .name(DeviceName(pool)), flushing: true) }
        let unit = (try metadataFlushes(fixture) - before) / 10
        #expect(unit > 0)

        let parent = try LayerID("parent")
        let ids = try (0..<40).map { try LayerID("layer-\($0)") }
        // The store's own count of commits agrees with the kernel's.
        let ordered = store.orderedCommits
        #expect(
            try commits(fixture, flushesPerCommit: unit) { for id in ids { try store.create(id, parent: parent) } }
                == 40)
        #expect(
            try commits(fixture, flushesPerCommit: unit) {
                _ = try store.status()
                _ = try store.poolReport()
                _ = try store.layers()
                _ = try store.details(of: ids[0])
            } == 0)
        #expect(try commits(fixture, flushesPerCommit: unit) { for id in ids { try store.remove(id) } } == 40)
        #expect(store.orderedCommits - ordered == 80)
        try fixture.finish()
    }

    /// A mount through the store writes no more than the file system writes at a mount without the store.
    @Test func addsNothingToWhatAMountCosts() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        let parent = try LayerID("parent")
        try store.create(parent)
        try store.write("x", to: "file", in: parent)
        for name in ["ours", "theirs"] { try store.create(LayerID(name), parent: parent) }
        let number = try store.details(of: LayerID("theirs")).record.deviceID
        let pool = try #require(try fixture.devices().first { $0.hasSuffix("-pool") })
        let mountPoint = try fixture.scratch.makeDirectory("theirs")

        fixture.transport.forget()
        let ours = try commits(fixture, flushesPerCommit: 1) {
            _ = try store.mount(LayerID("ours"))
            try store.unmount(LayerID("ours"))
        }
        #expect(!fixture.transport.commands.contains(.targetMessage))
        #expect(!fixture.transport.commands.contains(.tableStatus))
        let theirs = try commits(fixture, flushesPerCommit: 1) {
            try Shell.run(
                """
                export DM_DISABLE_UDEV=1
                number=$(dmsetup info -c --noheadings -o major,minor --separator : \(pool))
                dmsetup create theirs --table "0 614400 thin $number \(number)"
                mount -t ext4 /dev/mapper/theirs '\(mountPoint)'
                umount '\(mountPoint)'
                dmsetup remove theirs
                """)
        }
        #expect(ours <= theirs, "\(ours) flushes of ours, \(theirs) of dmsetup and mount")
        try fixture.finish()
    }

    @Test(arguments: zip(["ext4 -E nodiscard", "xfs", "btrfs"], [1, 1, 2]))
    func synchronisesOnceForALayerOrItsRemoval(rootFilesystem: String, forALayer expected: Int) throws {
        let fixture = try StoreFixture(rootFilesystem: rootFilesystem)
        try fixture.store.create(LayerID("parent"))
        /// Synchronisations of one run of the command.
        func synchronisations(_ arguments: String) throws -> Int {
            let trace = fixture.scratch.appending("trace")
            try Shell.run(
                """
                strace -f -o '\(trace)' -e trace=fsync,fdatasync,sync,syncfs,msync \
                    '\(DMLayerCommand.path)' --root '\(fixture.root)' \(arguments)
                """)
            return try #require(Int(try Shell.run("grep -c 'sync(' '\(trace)' || true")))
        }
        // Once more than a block of device ids, so that making a new reservation is among them.
        let layers = 0..<(rootFilesystem == "xfs" ? 36 : 3)
        let counts = try layers.map { try synchronisations("create layer-\($0) --parent parent") }
        #expect(counts.allSatisfy { $0 == expected }, "\(counts)")
        #expect(try synchronisations("remove layer-0") == 1)
        #expect(try synchronisations("mount layer-1") == 0)
        #expect(try synchronisations("list") == 0)
        #expect(try synchronisations("info") == 0)
        #expect(try synchronisations("unmount layer-1") == 0)
        try fixture.finish()
    }
}
