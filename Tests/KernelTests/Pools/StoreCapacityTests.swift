import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Pools that become larger while they are in use.
@Suite(.serialized) struct StoreCapacityTests {
    private let megabyte: UInt64 = 1 << 20

    @Test func growsWhileLayersAreWritten() throws {
        let fixture = try StoreFixture()
        let layers = try (0..<3).map { try LayerID("layer-\($0)") }
        for layer in layers { try fixture.store.create(layer) }
        let paths = try layers.map { try fixture.store.mount($0) }
        // Each writes and reads back until it is told to end; one write that fails ends it with an error.
        let writers = try paths.map { path in
            try Shell.run(
                """
                (cd '\(path)'; n=0
                until [ -e stop ]; do
                    n=$((n + 1))
                    head -c 300000 /dev/urandom > random && sync random && cp random copy && sync copy \
                        && cmp random copy || { echo failed > result; exit 1; }
                done
                echo $n > result) >/dev/null 2>&1 &
                echo $!
                """)
        }
        for step in 1...3 {
            let growth = try fixture.store.resizePool(
                data: (1024 + UInt64(step) * 64) * megabyte, metadata: (16 + UInt64(step) * 4) * megabyte)
            #expect(growth.data.now == (1024 + UInt64(step) * 64) * megabyte)
            #expect(growth.data.before == growth.data.now - 64 * megabyte)
            #expect(growth.metadata.now == (16 + UInt64(step) * 4) * megabyte)
        }
        for (path, writer) in zip(paths, writers) {
            try Shell.run("touch '\(path)/stop'; while kill -0 \(writer) 2>/dev/null; do sleep 0.1; done")
            #expect(try #require(Int(try Shell.run("cat '\(path)/result'"))) > 0)
        }
        #expect(try fixture.store.status().data.total == 1216 * megabyte)
        #expect(try fixture.store.status().metadata.total == 28 * megabyte)
        #expect(
            try Shell.run("jq -c .pool '\(fixture.root)/store.json'")
                == #"{"data_file_size":\#(1216 * megabyte),"metadata_file_size":\#(28 * megabyte)}"#)

        // A file that is cut back to what it had before is noticed.
        try fixture.store.shutdown()
        try Shell.run("truncate --size=1g '\(fixture.root)/devicemapper/data'")
        #expect(try fixture.run("info").output.contains("it was cut short"))
        try Shell.run("truncate --size=1216M '\(fixture.root)/devicemapper/data'")
        try fixture.finish()
    }

    /// The kernel refuses a thin device while its pool is suspended, which each growth does for a moment.
    ///
    /// So many suspensions in a row can meet the defect of Linux 5.10.46 that `Control.letDeferredRequestsThrough` tells of,
    /// and the sandbox has one processor.
    @Test(.disabled(if: KernelRelease.isLinux5, "Linux 5.10.46 can stand still for ever on one processor"))
    func growsWhileLayersAreMountedAndEnlarged() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        let results = onThreads(3) { index in
            if index == 0 {
                for step: UInt64 in 1...60 { _ = try store.resizePool(data: (1024 + step) * megabyte) }
                return
            }
            let layer = try LayerID("layer-\(index)")
            for step: UInt64 in 1...40 {
                try store.create(layer)
                _ = try store.mount(layer)
                if step % 4 == 0 { try store.resize(layer, to: (300 + step) * megabyte) }
                try store.unmount(layer)
                try store.remove(layer)
            }
        }
        for result in results { try result.get() }
        #expect(try store.status().data.total == 1084 * megabyte)
        try fixture.finish()
    }

    /// Fails every command of a growth, before and after it took effect: the pool runs on each time, and the growth can
    /// be done again.
    @Test(arguments: FaultyTransport.Moment.allCases)
    func survivesTheFailureOfAnyCommand(moment: FaultyTransport.Moment) throws {
        let fixture = try StoreFixture()
        let layer = try LayerID("layer")
        try fixture.store.create(layer)
        let path = try fixture.store.mount(layer)
        let pool = try #require(try fixture.devices().first { $0.hasSuffix("-pool") })
        var points = 0
        var size = 1024 * megabyte
        for point in 0..<40 {
            size += megabyte
            fixture.transport.fail(after: point, moment)
            let failure: (any Error)?
            do {
                try fixture.store.resizePool(data: size, metadata: 16 * megabyte + UInt64(point) * 65536)
                failure = nil
            } catch {
                failure = error
            }
            let wasReached = !fixture.transport.isArmed
            fixture.transport.disarm()
            #expect(
                try Shell.run("dmsetup info --columns --noheadings -o suspended,tables_loaded \(pool)") == "Active:Live"
            )
            try Shell.run("timeout 20 sh -c 'echo \(point) > \"\(path)/file\" && sync \"\(path)/file\"'")
            if failure == nil, !wasReached {
                points = point
                break
            }
            #expect(try fixture.store.resizePool(data: size).data.now == size, "point \(point)")
        }
        #expect(points > 0)
        #expect(try fixture.store.status().data.total == size)
        try fixture.store.unmount(layer)
        try fixture.finish()
    }

    /// Kills the command at many moments of a growth.
    @Test func goesOnAfterACommandThatWasKilled() throws {
        let fixture = try StoreFixture()
        let layer = try LayerID("layer")
        try fixture.store.create(layer)
        let path = try fixture.store.mount(layer)
        for attempt in 1...12 {
            try Shell.run(
                """
                '\(DMLayerCommand.path)' --root '\(fixture.root)' pool resize \(1024 + attempt)m &
                sleep 0.\(100 + attempt * 30)
                kill -9 $! 2>/dev/null || true
                timeout 20 sh -c 'echo \(attempt) > "\(path)/file" && sync "\(path)/file"'
                """)
            if attempt.isMultiple(of: 4) {
                // An interrupted growth does not keep the pool from being activated, and is complete then.
                try fixture.store.shutdown()
                #expect(try fixture.store.status().data.total >= fixture.store.configuration.pool.dataFileSize ?? 0)
                _ = try fixture.store.mount(layer)
            }
        }
        #expect(try fixture.run("pool resize 1100m").status == 0)
        #expect(try fixture.store.status().data.total == 1100 * megabyte)
        #expect(try Shell.run("cat '\(path)/file'") == "12")
        try fixture.finish()
    }

    @Test func takesWhatItsFilesHaveGrownTo() throws {
        let fixture = try StoreFixture()
        _ = try fixture.store.status()
        try Shell.run("truncate --size=1100M '\(fixture.root)/devicemapper/data'")
        let (status, output) = try fixture.run("pool resize")
        #expect(status == 0)
        #expect(output == "Data:      1.074GB → 1.153GB\nMetadata:  16.78MB, as before", "\(output)")
        try fixture.finish()
    }

    @Test func refusesToShrinkAndWhatIsNoUse() throws {
        let fixture = try StoreFixture()
        let cases = [
            ("pool resize 512m", "a pool cannot become smaller"),
            ("pool resize --metadata 8m", "a pool cannot become smaller"),
            ("pool resize 2g --metadata 16g", "17045913600 bytes of metadata and no more"),
        ]
        for (arguments, message) in cases {
            let (status, output) = try fixture.run(arguments)
            #expect(status == 1)
            #expect(output.contains(message), "\(output)")
        }
        for arguments in ["much", "0", "--metadata 1x", "-1g"] {
            #expect(try fixture.run("pool resize \(arguments)").status == 64)
        }
        #expect(try fixture.run("pool resize 1g --metadata 16m").status == 0)
        #expect(try fixture.store.status().data.total == 1 << 30)
        #expect(try Shell.run("stat -c %s '\(fixture.root)/devicemapper/data'") == "\(1 << 30)")
        // The largest metadata that the kernel uses.
        #expect(try fixture.run("pool resize --metadata 17045913600").status == 0)
        #expect(try fixture.store.status().metadata.total == 17_045_913_600)
        try fixture.finish()
    }

    @Test func usesBlockDevicesThatHaveGrown() throws {
        let fixture = try DMFixture()
        let disk = try fixture.disk("data-file", size: 2 << 30)
        let data = try fixture.device("data", "0 2097152 linear \(disk) 0")
        let metadata = try fixture.device("meta", "0 32768 linear \(fixture.disk("meta-file", size: 64 << 20)) 0")
        let root = fixture.scratch.appending("root")
        let store = try LayerStore.initialize(
            root,
            options: StorageOptions(parsing: [
                "dm.basesize=300m", "dm.fs=ext4", "dm.min_free_space=1%", "dm.datadev=/dev/dm-\(data.number.minor)",
                "dm.metadatadev=/dev/dm-\(metadata.number.minor)",
            ]))
        #expect(try store.resizePool().data.now == 1 << 30)
        #expect { try store.resizePool(data: 2 << 30) } throws: { ($0 as? LayerStoreError)?.code == .invalidOption }
        for device in [data, metadata] {
            var table = try fixture.control.table(of: .number(device.number))
            table.entries[0].length = Sectors(table.entries[0].length.count * 2)
            try fixture.control.replaceTable(of: .number(device.number), with: table, options: [.noFlush, .skipLockFS])
        }
        let growth = try store.resizePool()
        #expect(growth.data.now == 2 << 30)
        #expect(growth.metadata.now == 32 << 20)
        try store.shutDownLeavingNothing(at: root)
        try fixture.control.removeDevice(.number(data.number))
        try fixture.control.removeDevice(.number(metadata.number))
    }

    // MARK: Docker's own tests

    private static let dockerSizes = ["dm.loopdatasize=300m", "dm.loopmetadatasize=200m", "dm.basesize=300m"]

    /// Docker's test IncreaseLoopBackSize, with the pool active and not.
    @Test(arguments: [false, true]) func increasesTheSizeOfTheLoopFiles(isActive: Bool) throws {
        let fixture = try StoreFixture(Self.dockerSizes)
        #expect(try fixture.store.status().data.total == 300 * megabyte)
        #expect(try fixture.store.status().metadata.total == 200 * megabyte)
        if !isActive { try fixture.store.shutdown() }
        #expect(
            try fixture.run("init --storage-opt dm.loopdatasize=310m --storage-opt dm.loopmetadatasize=210m")
                == (0, ""))
        #expect(try fixture.store.status().data.total == 310 * megabyte)
        #expect(try fixture.store.status().metadata.total == 210 * megabyte)
        try fixture.finish()
    }

    /// Docker's test ReduceLoopBackSize: the sizes stay, and nothing fails.
    @Test func keepsTheSizeOfTheLoopFiles() throws {
        let fixture = try StoreFixture(Self.dockerSizes)
        let (status, output) = try fixture.run(
            "init --storage-opt dm.loopdatasize=290m --storage-opt dm.loopmetadatasize=190m")
        #expect(status == 0)
        #expect(output.contains("dm.loopdatasize=304087040 is less than the 314572800 bytes"), "\(output)")
        #expect(output.contains("dm.loopmetadatasize=199229440 is less"), "\(output)")
        #expect(try fixture.store.status().data.total == 300 * megabyte)
        #expect(try fixture.store.status().metadata.total == 200 * megabyte)
        // Other commands do not look at them at all.
        #expect(try fixture.run("list --storage-opt dm.loopdatasize=400m").status == 0)
        #expect(try fixture.store.status().data.total == 300 * megabyte)
        try fixture.finish()
    }
}
