import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// `init` is a transaction: whenever it ends, by an error or by a signal, the next one begins anew.
@Suite(.serialized) struct InitTransactionTests {
    private static let pool = """
        truncate --size=16M $S/meta; truncate --size=1G $S/data
        m=$(losetup --find --show $S/meta); d=$(losetup --find --show $S/data)
        dmsetup create init-test-pool --table "0 2097152 thin-pool $m $d 128 0 1 skip_block_zeroing"
        """

    /// Kills it at one system call of a kind after the other; the next one has other options.
    @Test(arguments: [
        ("ioctl", 1, 7), ("renameat,ftruncate", 1, 1), ("mkdir,fsync", 1, 2), ("unlinkat,close", 5, 19),
    ])
    func beginsAnewAfterItWasKilled(calls: String, first: Int, step: Int) throws {
        var number = first
        var kills = 0
        while true {
            let fixture = try InitFixture()
            let before = try fixture.shell("dmsetup ls | grep -c docker || true")
            let killed = try fixture.initialize(
                InitFixture.small,
                within: "strace -o /dev/null -e trace=\(calls) -e inject=\(calls):signal=KILL:when=\(number)")
            if killed.status == 0 { break }
            kills += 1
            let (status, output, time) = try fixture.initialize(
                "dm.basesize=400m dm.loopdatasize=700m dm.loopmetadatasize=8m dm.fs=xfs dm.blocksize=128k "
                    + "dm.min_free_space=1%")
            // Behind its last step, the store is made.
            let isMade = try fixture.shell("cat $S/place/root/store.json").contains("65536")
            #expect(
                isMade ? output.contains("cannot change") : status == 0 && output == "", "\(calls) \(number): \(output)"
            )
            #expect(time < .seconds(20))
            for arguments in ["create layer", "mount layer", "unmount layer", "shutdown"] {
                let (status, output, _) = try fixture.run(arguments)
                #expect(status == 0, "\(calls) \(number): \(arguments): \(output)")
            }
            #expect(try fixture.shell("dmsetup ls | grep -c docker || true") == before)
            #expect(
                try fixture.shell("losetup --list --noheadings --output BACK-FILE | grep -c \"^$S/\" || true") == "0")
            number += step
        }
        print("init: killed \(kills) times at \(calls)")
        #expect(kills >= 3)
    }

    /// Every command of the kernel's fails once, before and after it took effect.
    @Test(arguments: FaultyTransport.Moment.allCases) func undoesWhatItMade(moment: FaultyTransport.Moment) throws {
        let options = try StorageOptions(parsing: InitFixture.small.split(separator: " ").map(String.init))
        var failures = 0
        for count in 0... {
            let fixture = try InitFixture()
            let before = try fixture.state()
            let transport = FaultyTransport(try KernelTransport())
            transport.fail(after: count, moment)
            do {
                let store = try LayerStore.initialize(fixture.root, options: options, transport: transport)
                let isOver = transport.isArmed
                transport.disarm()
                try store.shutdown()
                if isOver { break }
            } catch {
                failures += 1
                #expect(try fixture.state() == before, "\(count): \(error)")
                if count % 8 == 0 { try fixture.proveRight(InitFixture.small, "\(count)") }
            }
        }
        print("init: \(failures) commands failed \(moment)")
        #expect(failures > 5)
    }

    @Test func leavesAForeignPoolAsItWas() throws {
        let fixture = try InitFixture()
        try fixture.shell(Self.pool)
        let (status, before) = (try fixture.shell("dmsetup status init-test-pool"), try fixture.state())
        let foreign = "dm.basesize=320m dm.fs=ext4 dm.min_free_space=1% dm.thinpooldev=init-test-pool"
        for wrong in ["dm.mkfsarg=-Z", "dm.mountopt=nonsense", "dm.min_free_space=99%"] {
            let answer = try fixture.initialize("\(foreign) \(wrong)")
            #expect(answer.status == 1 && answer.time < .seconds(10), "\(answer)")
            #expect(try fixture.state() == before)
            let now = try fixture.shell("dmsetup status init-test-pool")
            #expect(Self.data(now) == Self.data(status), "\(wrong): \(now)")
        }
        try fixture.proveRight(foreign, "a foreign pool")
        #expect(try fixture.shell("dmsetup info -c --noheadings -o open init-test-pool") == "0")
    }

    private static func data(_ status: String) -> Substring? {
        let words = status.split(separator: " ")
        return words.count > 6 ? words[5] : nil
    }

    /// Such a pool waits for space for a minute, and its table is somebody else's.
    @Test func doesNotWaitForSpaceInAForeignPool() throws {
        let fixture = try InitFixture()
        try fixture.shell(Self.pool.replacing("1G", with: "32M").replacing("2097152", with: "65536"))
        let table = try fixture.shell("dmsetup table init-test-pool")
        for filesystem in ["ext4", "xfs"] {
            let (status, output, time) = try fixture.initialize(
                "dm.basesize=4g dm.fs=\(filesystem) dm.min_free_space=0% dm.thinpooldev=init-test-pool")
            #expect(status == 1 && output.contains("does not fit into the pool"), "\(output)")
            #expect(time < .seconds(10), "\(time)")
            print("init: full foreign pool, \(filesystem): \(time): \(output)")
            #expect(try fixture.shell("dmsetup table init-test-pool") == table)
            #expect(try fixture.shell("dmsetup status init-test-pool").contains(" 0/512 - rw "))
        }
        try fixture.proveRight(
            "dm.basesize=64m dm.fs=ext4 dm.min_free_space=1% dm.thinpooldev=init-test-pool", "a small foreign pool")
    }

    /// A second one waits for the first, and finds its store.
    @Test func twoAtOnceMakeOneStore() throws {
        let fixture = try InitFixture()
        let root = fixture.root
        let options = try StorageOptions(parsing: InitFixture.small.split(separator: " ").map(String.init))
        let wrong = try StorageOptions(
            parsing: InitFixture.small.split(separator: " ").map(String.init) + ["dm.mountopt=nonsense"])
        let results = onThreads(4) { index in
            try LayerStore.initialize(root, options: index == 0 ? wrong : options).configuration.storeID
        }
        let made = results.compactMap { try? $0.get() }
        #expect(made.count == 3 && Set(made).count == 1, "\(results)")
        try LayerStore(opening: root).shutdown()
        try fixture.proveRight(InitFixture.small, "after two at once")
    }

    /// Until there is a base device with a file system, no layer is made.
    @Test func makesNoLayerOfAnIncompleteBaseDevice() throws {
        let fixture = try InitFixture()
        _ = try fixture.initialize(InitFixture.small)
        // As an earlier version of this program left it when mkfs failed.
        try fixture.shell("sed -i 's/\"initialized\":true/\"initialized\":false/' $S/place/root/metadata/base")
        let early = try fixture.run("create early")
        #expect(early.status == 1 && early.output.contains("“dmlayer init” completes it"), "\(early.output)")
        _ = try fixture.run("shutdown")
        let (status, output, _) = try fixture.initialize("dm.basesize=400m dm.min_free_space=1% dm.fs=xfs")
        #expect(status == 0, "\(output)")
        #expect(try fixture.run("--json info").output.contains("\"xfs\""))
        for arguments in ["create layer", "mount layer", "unmount layer", "shutdown"] {
            #expect(try fixture.run(arguments).status == 0)
        }
    }

    /// The remains of a killed `init` are no store, and can be taken down.
    @Test func takesDownWhatAKilledOneLeft() throws {
        let fixture = try InitFixture()
        try fixture.shell("printf '#!/bin/sh\\nkill -9 $PPID\\n' > $S/mkfs; chmod +x $S/mkfs")
        let killed = try fixture.initialize(
            InitFixture.small,
            within: "unshare --mount sh -c 'mount --bind $S/mkfs /usr/sbin/mkfs.ext4 && exec \"$@\"' sh")
        #expect(killed.status == 137)
        #expect(try fixture.shell("dmsetup ls | grep -c docker-.*-pool") == "1")
        for arguments in ["create layer", "list", "info"] {
            let (status, output, _) = try fixture.run(arguments)
            #expect(status == 1 && output.contains("is not complete") && output.contains("dmlayer init"), "\(output)")
        }
        #expect(try fixture.run("shutdown").status == 0)
        #expect(try fixture.shell("dmsetup ls | grep -c docker || true") == "0")
        try fixture.proveRight(InitFixture.small, "after shutdown")
    }

    /// On a complete store, a call that fails keeps no option.
    @Test func keepsNoOptionOfACallThatFails() throws {
        let fixture = try InitFixture()
        #expect(try fixture.initialize(InitFixture.small).status == 0)
        #expect(try fixture.run("create layer").status == 0)
        let before = try fixture.shell("cat $S/place/root/store.json; dmsetup table | grep pool")
        for (wrong, message) in [
            ("dm.error_if_no_space=true dm.mountopt=nonsense", "cannot be mounted with dm.mountopt=nonsense"),
            ("dm.min_free_space=5% dm.basesize=200m", "cannot become smaller"),
            ("dm.min_free_space=5% dm.blocksize=128k", "cannot change"),
        ] {
            let (status, output, time) = try fixture.initialize(wrong)
            #expect(status == 1 && output.contains(message) && !output.contains("\n"), "\(output)")
            #expect(time < .seconds(10))
            #expect(try fixture.shell("cat $S/place/root/store.json; dmsetup table | grep pool") == before)
        }
        let transport = FaultyTransport(try KernelTransport())
        transport.failAlways(.loadTable, after: 0)
        #expect(throws: LayerStoreError.self) {
            try LayerStore.initialize(
                fixture.root, options: StorageOptions(parsing: ["dm.error_if_no_space=true", "dm.min_free_space=5%"]),
                transport: transport)
        }
        #expect(try fixture.shell("cat $S/place/root/store.json; dmsetup table | grep pool") == before)
        #expect(try fixture.initialize("dm.mountopt=nodiscard dm.error_if_no_space=true").status == 0)
        #expect(try fixture.shell("cat $S/place/root/store.json").contains("nodiscard"))
        #expect(try fixture.shell("dmsetup table | grep pool").contains("error_if_no_space"))
        #expect(try fixture.run("mount layer").status == 0)
        #expect(try fixture.run("unmount layer").status == 0)
        #expect(try fixture.run("shutdown").status == 0)
    }
}
