import DeviceMapper
import Glibc
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// The data of removed layers that a guest finds when it reads its whole device.
@Suite(.serialized) struct StoreZeroingTests {
    /// The storage that a store makes its pool of.
    enum Mode: CaseIterable {
        case files, devices, directLVM
    }

    /// A store whose pool holds less than the two layers of a test have together, so that blocks are used again.
    private struct Reuse {
        private let pattern = "data of another tenant"
        let fixture: DMFixture
        let root: FilePath
        let store: LayerStore
        private var used: [DeviceNumber] = []

        init(_ mode: Mode, _ options: [String]) throws {
            fixture = try DMFixture()
            let disk = fixture.scratch.appending("root-disk")
            root = fixture.scratch.appending("fs/root")
            try Shell.run(
                """
                truncate --size=900m '\(disk)' && mkfs.ext4 -q -E nodiscard '\(disk)' && mkdir '\(fixture.scratch.path)/fs'
                mount -o loop '\(disk)' '\(fixture.scratch.path)/fs'
                """)
            var all = [
                "dm.basesize=200m", "dm.fs=ext4", "dm.min_free_space=0%", "dm.blkdiscard=false",
                "dm.mountopt=nodiscard",
            ]
            switch mode {
            case .files: all += ["dm.loopdatasize=256m", "dm.loopmetadatasize=8m"]
            case .devices:
                let data = try fixture.disk("data", size: 256 << 20)
                let metadata = try fixture.disk("metadata", size: 8 << 20)
                used = [data, metadata]
                all += ["dm.datadev=/dev/loop\(data.minor)", "dm.metadatadev=/dev/loop\(metadata.minor)"]
            case .directLVM:
                let device = try fixture.disk("lvm", size: 288 << 20)
                used = [device]
                all += ["dm.directlvm_device=/dev/loop\(device.minor)"]
            }
            let arguments = (all + options).map { "--storage-opt '\($0)'" }.joined(separator: " ")
            // Where lvm2's profile can be written.
            try Shell.run(
                """
                LVM_SYSTEM_DIR='\(fixture.scratch.path)/lvm2'; export LVM_SYSTEM_DIR
                '\(DMLayerCommand.path)' --root '\(root)' \(arguments) init
                """)
            store = try LayerStore(opening: root, removals: .beforeReturning)
        }

        /// Takes everything down, so that another pool may have the name.
        func finish() throws {
            try store.shutDownLeavingNothing(at: root)
            if try store.poolPath() != nil {
                try Shell.run("'\(DMLayerCommand.path)' --root '\(root)' pool deactivate")
            }
            for device in used {
                try Shell.run(
                    "wipefs --all --quiet --force /dev/loop\(device.minor); losetup --detach /dev/loop\(device.minor)")
            }
        }

        /// Whether a guest finds the pattern that a removed layer had.
        func guestFindsThePattern() throws -> Bool {
            let secret = try LayerID("secret")
            try store.create(secret)
            let path = try store.mount(secret)
            try Shell.run(
                "yes '\(pattern)' | dd of='\(path)/file' bs=1M count=150 iflag=fullblock conv=fsync status=none")
            try store.unmount(secret)
            try store.remove(secret)
            let snapshot = try store.createSnapshot(
                LayerID("guest"), parent: nil, size: nil,
                SnapshotRecord(key: "guest", kind: .active, parent: "", labels: [:], time: 0))
            // A little in each block, so that the pool gives it the block and it has not written the rest.
            let device = try FileDescriptor.open(snapshot.devicePath, .readWrite)
            try device.closeAfter {
                let piece = [UInt8](repeating: UInt8(ascii: "-"), count: 512)
                for offset in stride(from: Int64(0), to: 200 << 20, by: 64 << 10) {
                    _ = try device.writeAll(toAbsoluteOffset: offset, piece)
                }
                guard fsync(device.rawValue) == 0 else { throw Errno(rawValue: errno) }
            }
            let found = try Shell.run("grep --text --count --fixed-strings '\(pattern)' \(snapshot.devicePath) || true")
            return found != "0"
        }
    }

    @Test(arguments: Mode.allCases, [true, false])
    func guestsFindNothingWithTheOptionAndTheDataWithoutIt(mode: Mode, zeroes: Bool) throws {
        let reuse = try Reuse(mode, zeroes ? ["dm.zero_new_blocks=true"] : [])
        #expect(try reuse.store.status().zeroesNewBlocks == zeroes)
        #expect(try reuse.guestFindsThePattern() == !zeroes)
        try reuse.finish()
    }

    /// Also after an activation, and while a layer is in use.
    @Test(arguments: Mode.allCases) func initChangesTheOption(mode: Mode) throws {
        let reuse = try Reuse(mode, [])
        let (store, root) = (reuse.store, reuse.root)
        let layer = try LayerID("layer")
        try store.create(layer)
        let path = try store.mount(layer)
        func run(_ arguments: String) throws -> (status: Int, output: String) {
            try DMLayerCommand.runForStatus("--root '\(root)' \(arguments)")
        }
        func expect(_ zeroes: Bool, sourceLocation: SourceLocation = #_sourceLocation) throws {
            let info = try run("info").output
            #expect(info.hasSuffix("\nZero New Blocks: \(zeroes)"), "\(info)", sourceLocation: sourceLocation)
            #expect(
                try run("--json info").output.contains("\"zero_new_blocks\" : \(zeroes)"),
                sourceLocation: sourceLocation)
            let status = try run("pool status").output
            #expect(
                status.contains("New blocks:      \(zeroes ? "filled" : "not filled") with zeros"), "\(status)",
                sourceLocation: sourceLocation)
            #expect(
                try run("--json pool status").output.contains("\"zero_new_blocks\" : \(zeroes)"),
                sourceLocation: sourceLocation)
        }
        try expect(false)
        let refused = try run("--storage-opt dm.zero_new_blocks=true list")
        #expect(refused.status == 1 && refused.output.contains("“dmlayer init” changes it"), "\(refused)")
        let changed = try run("--storage-opt dm.zero_new_blocks=true init")
        #expect(changed.status == 0, "\(changed.output)")
        try expect(true)
        try Shell.run("echo still > '\(path)/file' && sync -f '\(path)'")
        let reopened = try LayerStore(opening: root, removals: .beforeReturning)
        try reopened.shutdown()
        if try reopened.poolPath() != nil { #expect(try run("pool deactivate").status == 0) }
        try expect(true)
        #expect(try run("--storage-opt dm.zero_new_blocks=false init").status == 0)
        try expect(false)
        #expect(try reopened.read("file", in: layer) == "still")
        try reuse.finish()
    }

    /// The other option that `init` is said to change.
    @Test func initChangesWhatAFullPoolDoes() throws {
        let fixture = try StoreFixture()
        #expect(try fixture.run("--storage-opt dm.error_if_no_space=true init").status == 0)
        #expect(try fixture.store.poolReport().errorIfNoSpace)
        try fixture.finish()
    }

    @Test func poolsOfOthersAreLeftAsTheyAre() throws {
        let fixture = try DMFixture()
        let (metadata, data) = (try fixture.disk("m", size: 8 << 20), try fixture.disk("d", size: 512 << 20))
        let pool = try fixture.device("pool", "0 1048576 thin-pool \(metadata) \(data) 128 0 1 skip_block_zeroing")
        let options = ["dm.basesize=100m", "dm.fs=ext4", "dm.min_free_space=1%", "dm.thinpooldev=\(pool.name)"]
        let root = fixture.scratch.appending("root")
        for option in ["dm.zero_new_blocks=true", "dm.error_if_no_space=true"] {
            #expect {
                try LayerStore.initialize(root, options: StorageOptions(parsing: options + [option]))
            } throws: {
                ($0 as? LayerStoreError)?.code == .invalidOption && "\($0)".contains("was made elsewhere")
            }
        }
        let store = try LayerStore.initialize(
            root, options: StorageOptions(parsing: options + ["dm.zero_new_blocks=false"]), removals: .beforeReturning)
        let warning = try #require(try store.poolReport().zeroingWarning)
        #expect(warning.contains("lvchange --zero y"), "\(warning)")
        try store.shutDownLeavingNothing(at: root)
    }

    /// How much longer the first write of a block takes, a small one and one of the whole block.
    @Test(arguments: [4096, 65536]) func measuresTheFirstWriteOfABlock(size: Int) throws {
        var seconds: [Bool: [Double]] = [:]
        for round in 0..<6 {
            let zeroes = round % 2 == 1
            let fixture = try StoreFixture(["dm.zero_new_blocks=\(zeroes)"])
            let snapshot = try fixture.store.createSnapshot(
                LayerID("guest"), parent: nil, size: nil,
                SnapshotRecord(key: "guest", kind: .active, parent: "", labels: [:], time: 0))
            let device = try FileDescriptor.open(snapshot.devicePath, .readWrite)
            let piece = [UInt8](repeating: 1, count: size)
            let begin = ContinuousClock.now
            try device.closeAfter {
                for block in 0..<1000 {
                    _ = try device.writeAll(toAbsoluteOffset: Int64(64 << 20) + Int64(block) * 65536, piece)
                }
                guard fsync(device.rawValue) == 0 else { throw Errno(rawValue: errno) }
            }
            seconds[zeroes, default: []].append((ContinuousClock.now - begin) / .seconds(1))
            try fixture.finish()
        }
        let (with, without) = (try #require(seconds[true]?.min()), try #require(seconds[false]?.min()))
        print("1000 first writes of \(size) bytes: \(without) s without zeros, \(with) s with, ratio \(with / without)")
        // A block that is written as a whole is written once.
        #expect(with < without * (size == 65536 ? 2 : 20))
    }
}
