import DeviceMapper
import Glibc
import LayerStore
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

/// Pools, and disks, that are full while three layers are written.
@Suite(.serialized) struct StorePoolFullTests {
    private static let timeout = "/sys/module/dm_thin_pool/parameters/no_space_timeout"

    /// Three mounted layers, each with a process that writes files until it has written `count` or one write fails.
    private final class Writers {
        let layers: [LayerID]
        private let fixture: StoreFixture
        private let paths: [FilePath]
        private let processes: [String]

        init(_ fixture: StoreFixture, count: Int, _ options: String) throws {
            self.fixture = fixture
            layers = try (0..<3).map { try LayerID("layer-\($0)") }
            for layer in layers { try fixture.store.create(layer) }
            paths = try layers.map { try fixture.store.mount($0) }
            let scratch = fixture.scratch
            processes = try zip(layers, paths).map { layer, path in
                try Shell.run(
                    """
                    (cd '\(path)'; n=0
                    while [ $n -lt \(count) ]; do
                        n=$((n + 1)); date +%s > '\(scratch.path)/begun-\(layer)'
                        dd if=/dev/urandom of=file-$n bs=1M count=2 \(options) 2> '\(scratch.path)/error-\(layer)' || break
                        sha256sum file-$n >> '\(scratch.path)/sums-\(layer)'
                    done
                    date +%s > '\(scratch.path)/ended-\(layer)') >/dev/null 2>&1 &
                    echo $!
                    """)
            }
        }

        deinit {
            for process in processes { _ = try? Shell.run("kill -9 \(process) 2>/dev/null") }
        }

        /// Waits until the pool is in a mode.
        func waitForPool(_ mode: String) throws {
            for _ in 0..<300 {
                if try fixture.run("--json pool status").output.contains("\"mode\" : \"\(mode)\"") { return }
                usleep(100_000)
            }
            Issue.record("the pool has not become \(mode)")
        }

        /// Waits until every writer has ended, and returns what their last commands printed.
        func outcome() throws -> [String] {
            for process in processes {
                try Shell.run(
                    "for i in $(seq 300); do kill -0 \(process) 2>/dev/null || exit 0; sleep 0.1; done; exit 1")
            }
            return try layers.map { try Shell.run("cat '\(fixture.scratch.path)/error-\($0)'") }
        }

        /// How many seconds the last write of each writer took.
        func secondsOfLastWrite() throws -> [Int] {
            try layers.map { layer in
                let scratch = fixture.scratch.path
                return try #require(
                    Int(
                        try Shell.run(
                            "echo $(($(cat '\(scratch)/ended-\(layer)') - $(cat '\(scratch)/begun-\(layer)')))")))
            }
        }

        var areAlive: Bool {
            processes.allSatisfy { (try? Shell.run("kill -0 \($0)")) != nil }
        }

        /// Proves that everything is there that was written before, in layers that are mounted anew.
        func verify() throws {
            for layer in layers {
                try fixture.store.unmount(layer)
                let path = try fixture.store.mount(layer)
                let sums = fixture.scratch.appending("sums-\(layer)")
                #expect(
                    try Shell.run("cd '\(path)' && sha256sum --quiet --check '\(sums)' && wc -l < '\(sums)'") != "0")
                // Also what nobody has synchronised, on a file system that has met errors.
                try Shell.run(
                    "dd if=/dev/zero of='\(path)/more' bs=1M count=4 conv=fsync; printf late > '\(path)/late'")
                try fixture.store.unmount(layer)
                #expect(try fixture.store.read("late", in: layer) == "late")
            }
        }
    }

    private func fixture(_ options: String...) throws -> StoreFixture {
        let fixture = try StoreFixture(["dm.loopdatasize=128m"] + options)
        try fixture.store.create(LayerID("unused"))
        return fixture
    }

    /// Checks that commands which need no space still work while a pool is full, and that a new layer is refused.
    private func expectAnswers(_ fixture: StoreFixture, creation refusal: String) throws {
        let program = "timeout 20 '\(DMLayerCommand.path)' --root '\(fixture.root)'"
        try Shell.run("\(program) info && \(program) list && \(program) tree && \(program) remove unused")
        #expect(try !Shell.run("\(program) list").contains("unused"))
        let (status, output) = try Shell.runForStatus("\(program) create new")
        #expect(status == 1)
        #expect(output.contains(refusal), "\(output)")
    }

    @Test(arguments: ["ext4", "xfs"]) func failsAtOnceWhenItIsToldTo(filesystem: String) throws {
        let fixture = try fixture("dm.fs=\(filesystem)", "dm.error_if_no_space=true")
        let writers = try Writers(fixture, count: 100, "oflag=direct conv=fsync")
        let errors = try writers.outcome()
        #expect(errors.contains { $0.contains("No space left on device") }, "\(errors)")
        #expect(try writers.secondsOfLastWrite().allSatisfy { $0 <= 10 })
        try writers.waitForPool("out_of_data_space")
        let report = try fixture.run("pool status").output
        #expect(report.contains("When full:       writes fail at once"), "\(report)")
        #expect(report.contains("pool resize 268435456"), "\(report)")
        try expectAnswers(fixture, creation: "is full")
        #expect(try fixture.run("pool resize 256m").status == 0)
        try writers.verify()
        try fixture.store.create(LayerID("after"))
        try fixture.finish()
    }

    @Test func waitsUntilThereIsSpace() throws {
        try Shell.run("echo 0 > \(Self.timeout)")
        defer { _ = try? Shell.run("echo 60 > \(Self.timeout)") }
        let fixture = try fixture()
        // The pool is full before one of them can have written all, however unequal they are.
        let writers = try Writers(fixture, count: 32, "conv=fsync")
        try writers.waitForPool("out_of_data_space")
        try expectAnswers(fixture, creation: "is full")
        usleep(3_000_000)
        #expect(writers.areAlive)
        #expect(try fixture.run("pool status").output.contains("for ever"))
        // The file system of a layer that is enlarged now waits like its writers, and nothing waits for it.
        let enlargement = fixture.scratch.appending("enlargement")
        try Shell.run(
            "('\(DMLayerCommand.path)' --root '\(fixture.root)' resize layer-0 400m; echo $? > '\(enlargement)') >/dev/null 2>&1 &"
        )
        usleep(1_000_000)
        #expect(
            try Shell.runForStatus("timeout 20 '\(DMLayerCommand.path)' --root '\(fixture.root)' pool resize 256m")
                .status == 0)
        try Shell.run(
            "for i in $(seq 200); do [ -s '\(enlargement)' ] && break; sleep 0.1; done; [ $(cat '\(enlargement)') = 0 ]"
        )
        // Nobody has noticed anything.
        #expect(try writers.outcome().allSatisfy { $0.contains("2 MiB") || $0.contains("2.1 MB") })
        try writers.verify()
        try fixture.finish()
    }

    @Test func waitsNoLongerThanItIsToldTo() throws {
        try Shell.run("echo 3 > \(Self.timeout)")
        defer { _ = try? Shell.run("echo 60 > \(Self.timeout)") }
        let fixture = try fixture()
        let writers = try Writers(fixture, count: 100, "oflag=direct conv=fsync")
        let errors = try writers.outcome()
        #expect(errors.contains { $0.contains("No space left on device") }, "\(errors)")
        let seconds = try writers.secondsOfLastWrite()
        #expect(seconds.contains { $0 >= 2 } && seconds.allSatisfy { $0 <= 10 }, "\(seconds)")
        let report = try fixture.run("pool status").output
        #expect(
            report.contains("When full:       writes have waited for 3 s (no_space_timeout), and fail now"), "\(report)"
        )
        #expect(try fixture.run("pool resize 256m").status == 0)
        try writers.verify()
        try fixture.finish()
    }

    @Test(.disabled(if: KernelRelease.isLinux5, "Linux 5.10 marks such a pool as one that must be checked"))
    func goesOnAfterItsMetadataWasFull() throws {
        let fixture = try StoreFixture(["dm.loopmetadatasize=2m", "dm.min_free_space=0%"])
        try fixture.store.create(LayerID("unused"))
        // Each empty thin device has a block of its own, so that this is quicker than to write so much.
        let pool = DeviceReference.name(
            try DeviceName(try #require(try fixture.devices().first { $0.hasSuffix("-pool") })))
        var extra = 5000
        while let usage = try fixture.store.poolReport().metadata.usage, usage.free > 20 {
            try Control().sendMessage("create_thin \(extra)", to: pool)
            extra += 1
        }
        let writers = try Writers(fixture, count: 200, "oflag=direct conv=fsync")
        _ = try writers.outcome()
        #expect(try writers.secondsOfLastWrite().allSatisfy { $0 <= 10 })
        let report = try fixture.store.poolReport()
        #expect(!report.needsCheck)
        let commands = report.problems.first?.steps.compactMap(\.command) ?? []
        #expect(commands.contains("dmlayer --root \(fixture.root) pool resize --metadata 4194304"), "\(commands)")
        try expectAnswers(fixture, creation: "“dmlayer pool status” says")
        // Where a write was just being entered into the metadata, the kernel gives the pool up instead of its changes.
        if report.condition == .failed {
            try fixture.store.shutdown()
        } else {
            #expect(report.condition == .readOnly)
        }
        #expect(try fixture.run("pool resize --metadata 4194304").status == 0)
        #expect(try fixture.store.poolReport().condition == .readWrite)
        try writers.verify()
        for id in 5000..<extra { try Control().sendMessage("delete \(id)", to: pool) }
        try fixture.finish()
    }

    /// The disk under the files is full, and the pool is not: the layers' writes fail, and the pool stays whole.
    @Test func keepsItsMetadataOnAFullDisk() throws {
        let fixture = try StoreFixture(rootSize: "200m")
        try fixture.store.create(LayerID("unused"))
        let writers = try Writers(fixture, count: 100, "oflag=direct conv=fsync")
        try Shell.run("dd if=/dev/zero of='\(fixture.root)/../fill' bs=1M 2>/dev/null || true")
        _ = try writers.outcome()
        let (status, output) = try fixture.run("create new")
        #expect(status == 1)
        #expect(output.contains("No space left on device") || output.contains("the disk under"), "\(output)")
        #expect(try fixture.run("pool status").output.contains("promises more than there is"))
        try fixture.store.remove(LayerID("unused"))
        let report = try fixture.store.poolReport()
        #expect(report.condition == .readWrite && !report.needsCheck)
        try Shell.run("rm '\(fixture.root)/../fill'")
        try writers.verify()
        try fixture.finish()
    }

    /// A metadata file that has holes, as Docker's, on a disk that is full: the commands of `pool status` mend it.
    @Test(arguments: [false, true]) func mendsMetadataThatMustBeChecked(isDamaged: Bool) throws {
        let fixture = try StoreFixture(["dm.loopmetadatasize=64m"], rootSize: "400m")
        let (layer, other) = (try LayerID("layer"), try LayerID("other"))
        for id in [layer, other] { try fixture.store.create(id) }
        try fixture.store.write("precious", to: "file", in: layer)
        try fixture.store.shutdown()
        try Shell.run(
            """
            fallocate --dig-holes '\(fixture.root)/devicemapper/metadata'
            dd if=/dev/zero of='\(fixture.root)/../fill' bs=4k 2>/dev/null || true
            """)
        let pool = DeviceReference.name(try DeviceName(fixture.store.status().poolName))
        for id in 5000..<5100 where (try? Control().sendMessage("create_thin \(id)", to: pool)) == nil { break }
        let report = try fixture.store.poolReport()
        #expect(report.condition == .readOnly && report.needsCheck)
        try Shell.run("rm '\(fixture.root)/../fill'")

        let steps = try fixture.store.poolReport().problems[0].steps.compactMap(\.command)
        try #require(steps.count == 6)
        func run(_ step: Int) throws -> (status: Int, output: String) {
            try Shell.runForStatus(
                "dmlayer() { '\(DMLayerCommand.path)' \"$@\"; }\n\(steps[step])")
        }
        #expect(try run(0).status == 0)
        if isDamaged {
            // The map of the used data blocks, which the superblock names at byte 80.
            try Shell.run(
                """
                file='\(fixture.root)/devicemapper/metadata'
                block=$(od -A n -t u8 -j 80 -N 8 "$file")
                fallocate --punch-hole --offset $((block * 4096)) --length 4096 "$file"
                """)
        }
        #expect(try run(1).status == 0)
        #expect(try (run(2).status == 0) == !isDamaged)
        #expect(try run(isDamaged ? 4 : 3).status == 0)
        let (status, output) = try run(5)
        #expect(status == 0)
        #expect(output.contains("State:           read-write") && output.contains("Needs check:     no"), "\(output)")
        #expect(try fixture.store.read("file", in: layer) == "precious")
        try fixture.store.create(LayerID("after"), parent: layer)
        for id in 5000..<5100 { _ = try? Control().sendMessage("delete \(id)", to: pool) }
        try fixture.finish()
    }
}
