import DeviceMapper
import Glibc
import Synchronization
import SystemCalls
import SystemPackage
import TestSupport
import Testing

@testable import LayerStore
@testable import ThinProvisioning

/// `check` on stores that are damaged in every way there is, and what `--repair` makes of them.
@Suite(.serialized) struct StoreCheckTests {
    private func check(_ fixture: StoreFixture) throws -> StoreReport {
        try LayerStore.check(fixture.root, transport: fixture.transport)
    }

    private func repair(
        _ fixture: StoreFixture, _ orders: StoreRepairOrders = StoreRepairOrders()
    ) throws -> StoreReport {
        try LayerStore.repair(fixture.root, orders: orders, transport: fixture.transport)
    }

    /// A process that is killed while it writes a file leaves a temporary one, which is no fault.
    @Test func aTemporaryFileIsNoFault() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("layer"))
        let metadata = fixture.root.appending("metadata")
        try write("half", to: metadata.appending(".tmp123"))
        let report = try check(fixture)
        #expect(report.isClean && informed(report) == ["temporary_file .tmp123"])
        try fixture.store.shutdown()
        #expect(try Shell.run("ls -A '\(metadata)' | grep -c tmp || true") == "0")
        #expect(try check(fixture).findings.isEmpty)
    }

    /// The findings that are worse than information, as `kind subject`.
    private func found(_ report: StoreReport) -> Set<String> {
        Set(report.findings.filter { $0.severity > .information }.map { "\($0.kind.rawValue) \($0.subject)" })
    }

    private func informed(_ report: StoreReport) -> Set<String> {
        Set(report.findings.filter { $0.severity == .information }.map { "\($0.kind.rawValue) \($0.subject)" })
    }

    private func write(_ text: String, to file: FilePath) throws {
        let descriptor = try FileDescriptor.open(
            file, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
        _ = try descriptor.closeAfter { try descriptor.writeAll(text.utf8) }
    }

    /// Changes the superblock of a pool that is not active.
    private func editSuperblock(_ fixture: StoreFixture, _ edit: (inout [UInt8]) -> Void) throws {
        let file = try FileDescriptor.open(fixture.root.appending("devicemapper/metadata"), .readWrite)
        try file.closeAfter {
            var bytes = [UInt8](repeating: 0, count: 4096)
            _ = try unsafe bytes.withUnsafeMutableBytes { try unsafe file.read(fromAbsoluteOffset: 0, into: $0) }
            edit(&bytes)
            let checksum = unsafe CRC32C.checksum(bytes.span.bytes.extracting(4..<4096)) ^ 160_774
            put(checksum, at: 0, in: &bytes)
            try file.writeAll(toAbsoluteOffset: 0, bytes)
        }
    }

    private func put(_ value: some FixedWidthInteger, at offset: Int, in bytes: inout [UInt8]) {
        for byte in 0..<value.bitWidth / 8 { bytes[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte)) }
    }

    /// A digest of everything in the root, of the data by its time only.
    private func digest(_ fixture: StoreFixture) throws -> String {
        try Shell.run(
            """
            cd '\(fixture.root)' && find . -printf '%p %s %m %T@\\n' | sort
            find . -type f ! -path './devicemapper/data' -print0 | sort -z | xargs -0 md5sum
            """)
    }

    private func poolName(_ fixture: StoreFixture) throws -> String {
        try #require(try fixture.devices().first { $0.hasSuffix("-pool") })
    }

    // MARK: Nothing is wrong

    @Test func changesNothingAndFindsNothingInAWholeStore() throws {
        let fixture = try StoreFixture()
        let (parent, child) = (try LayerID("parent"), try LayerID("child"))
        try fixture.store.create(parent)
        try fixture.store.create(child, parent: parent, size: 400 << 20)
        _ = try fixture.store.mount(child)
        fixture.transport.forget()
        let active = try check(fixture)
        #expect(active.findings == [])
        #expect(active.isPoolActive)
        #expect(active.layerCount == 3)
        #expect(active.thinDeviceCount == 3)
        let asking: Set<ControlCommand> = [
            .deviceStatus, .tableStatus, .listDevices, .tableDependencies, .version,
        ]
        #expect(Set(fixture.transport.commands).isSubset(of: asking), "\(fixture.transport.commands)")

        try fixture.store.unmount(child)
        try fixture.store.shutdown()
        let before = try digest(fixture)
        let (status, output) = try fixture.run("check")
        #expect(status == 0, "\(output)")
        #expect(output == "3 metadata files; the pool is not active and has 3 thin devices; nothing is wrong")
        #expect(try digest(fixture) == before)
        #expect(try fixture.devices() == [])
        #expect(
            try Shell.run("losetup --list --noheadings --output BACK-FILE | grep -c '^\(fixture.root)/' || true") == "0"
        )
        try fixture.finish()
    }

    @Test func takesNothingThatIsUnderWayForADisagreement() throws {
        let fixture = try StoreFixture()
        let parent = try LayerID("parent")
        try fixture.store.create(parent)
        let isDone = Atomic(false)
        let results = onThreads(2) { thread in
            if thread == 0 {
                defer { isDone.store(true, ordering: .relaxed) }
                for round in 0..<40 {
                    let id = try LayerID("layer-\(round % 5)")
                    try fixture.store.create(id, parent: parent)
                    if round % 3 == 0 { _ = try fixture.store.mount(id) }
                    try fixture.store.remove(id)
                }
                return 0
            }
            var checks = 0
            while !isDone.load(ordering: .relaxed) {
                let report = try check(fixture)
                #expect(report.isClean, "\(report.findings)")
                checks += 1
            }
            return checks
        }
        _ = try results[0].get()
        #expect(try results[1].get() > 3)
        try fixture.finish()
    }

    /// A device that an operation keeps suspended was not left so.
    @Test(arguments: ["layer", "pool"]) func takesNoSuspensionThatIsUnderWayForAFault(device: String) throws {
        let fixture = try StoreFixture()
        let (root, layer) = (fixture.root, try LayerID("layer"))
        try fixture.store.create(layer)
        _ = try fixture.store.mount(layer)
        fixture.transport.interrupt(after: .suspendDevice) {
            do {
                #expect(try Shell.run("dmsetup info | grep -c 'State: *SUSPENDED'") == "1")
                let (status, output) = try Shell.runForStatus(
                    "timeout 20 '\(DMLayerCommand.path)' --root '\(root)' check")
                #expect(status == 0, "\(output)")
            } catch {
                Issue.record(error)
            }
        }
        if device == "pool" {
            _ = try fixture.store.trim()
        } else {
            try fixture.store.create(LayerID("copy"), parent: layer)
        }
        try fixture.finish()
    }

    // MARK: Files

    @Test func namesEveryDamageAndMendsWhatNeedsNoGuess() throws {
        let fixture = try StoreFixture()
        let metadata = fixture.root.appending("metadata")
        for name in ["whole", "cut", "small", "twin", "orphan"] { try fixture.store.create(LayerID(name)) }
        try fixture.store.create(LayerID("child"), parent: LayerID("whole"))
        try fixture.store.write("precious", to: "file", in: LayerID("whole"))
        let ids = try fixture.registeredIDs()
        // Numbers that no operation of the store would take next.
        try Shell.run(
            "dmsetup message '\(poolName(fixture))' 0 'create_snap 5000 \(ids[1])'; "
                + "dmsetup message '\(poolName(fixture))' 0 'create_thin 5001'")
        try fixture.store.shutdown()
        let good = try Shell.run("cat '\(metadata)/cut'")
        let record = try Shell.run("cat '\(metadata)/whole'")
        try write(String(good.prefix(good.count / 2)), to: metadata.appending("cut"))
        try write("", to: metadata.appending("empty"))
        try write("\u{0}\u{1}junk", to: metadata.appending("junk"))
        try write(
            #"{"device_id":"7","size":1,"transaction_id":0,"initialized":false}"#, to: metadata.appending("types"))
        try write(
            #"{"device_id":16777216,"size":314572800,"transaction_id":0,"initialized":false}"#,
            to: metadata.appending("wide"))
        try write(record, to: metadata.appending("bad name"))
        try write(
            #"{"device_id":999,"size":314572800,"transaction_id":0,"initialized":false,"parent":"gone"}"#,
            to: metadata.appending("lost"))
        try write(record.replacing("314572800", with: "314572800"), to: metadata.appending("twin"))
        try write(
            try Shell.run("cat '\(metadata)/small'").replacing("314572800", with: "157286400"),
            to: metadata.appending("small"))
        try write(
            try Shell.run("cat '\(metadata)/child'").replacing("314572800", with: "5"), to: metadata.appending("child"))
        try Shell.run(
            """
            cd '\(metadata)' && rm orphan deviceset-metadata && echo x > .tmp12345 && echo '{' > ../.tmp678
            printf junk > transaction-metadata
            """)
        let damage: Set<String> = [
            "damaged_file cut", "damaged_file empty", "damaged_file junk", "damaged_file types", "damaged_file wide",
            "damaged_file bad name", "missing_device lost", "duplicate_device bad name twin whole", "size small",
            "size child", "orphan_device 5000", "orphan_device 5001", "unfinished \(ids[2])", "unfinished \(ids[4])",
            "unfinished \(ids[5])", "device_set deviceset-metadata", "transaction transaction-metadata",
        ]
        let before = try digest(fixture)
        let report = try check(fixture)
        #expect(found(report) == damage)
        #expect(
            informed(report).isSuperset(of: [
                "missing_parent lost", "temporary_file .tmp12345", "temporary_file .tmp678",
            ]))
        #expect(try digest(fixture) == before)
        let (status, output) = try fixture.run("check")
        #expect(status == 2)
        for words in [
            "cut cannot be used", "device_id 16777216 is not within", "“device_id” has a value of the wrong type",
            "“bad name” is no layer id", "which the pool does not have", "left of a write that was interrupted",
            "is 157286400 bytes long, and", "somebody has to see to",
        ] {
            #expect(output.contains(words), "\(words): \(output)")
        }

        // The rest works, and nothing is deleted while a file is not understood.
        let store = try fixture.reopened()
        #expect(try store.read("file", in: LayerID("whole")) == "precious")
        try store.create(LayerID("new"), parent: LayerID("whole"))
        try store.shutdown()
        #expect(
            found(try repair(fixture)).isSuperset(of: [
                "orphan_device 5000", "orphan_device 5001", "missing_device lost",
            ]))

        // Disagreements that only a person can settle.
        try Shell.run(
            """
            cd '\(metadata)' && rm empty junk types wide 'bad name' twin transaction-metadata
            sed -i s/157286400/314572800/ small && sed -i 's/"size":5,/"size":314572800,/' child
            """)
        try write(good, to: metadata.appending("cut"))
        let adoption = StoreRepairOrders.AdoptedDevice(
            try #require(ThinDeviceID(5000)), as: try LayerID("adopted"))
        let last = try repair(
            fixture, StoreRepairOrders(forgotten: [LayerID("lost")], adopted: [adoption]))
        #expect(last.failures == [])
        #expect(last.findings.filter { $0.severity > .information } == [])
        #expect(last.repaired.contains { $0.kind == .missingDevice && $0.subject == "lost" })
        #expect(!last.isPoolActive)
        #expect(try check(fixture).isClean)
        #expect(try fixture.thinDeviceIDs() == fixture.registeredIDs())
        #expect(try fixture.registeredIDs().contains(5000))
        #expect(try fixture.store.read("file", in: LayerID("adopted")) == "precious")
        try fixture.finish()
    }

    @Test func leavesAloneWhatIsUnderWayOrBeingRemoved() throws {
        let fixture = try StoreFixture()
        for name in ["a", "b", "removed"] { try fixture.store.create(LayerID(name)) }
        let ids = try fixture.registeredIDs()
        let next = try #require(ids.last) + 1
        try fixture.store.shutdown()
        try Shell.run("cd '\(fixture.root)/metadata' && mv removed .removed-\(ids[3]) && cp a .removed-777")
        let report = try check(fixture)
        #expect(report.isClean)
        #expect(informed(report) == ["removal \(ids[3])", "removal 777"])
        // A thin device that a process has left, when it died, in the block of numbers that was reserved for it.
        let loops = try Shell.run(
            """
            cd '\(fixture.root)/devicemapper'
            data=$(losetup --find --show data) metadata=$(losetup --find --show metadata)
            dmsetup create left --table "0 2097152 thin-pool $metadata $data 128 0 1 skip_block_zeroing"
            dmsetup message left 0 'create_snap \(next) \(ids[1])'
            dmsetup remove left && losetup --detach $data $metadata
            """)
        #expect(loops == "")
        #expect(found(try check(fixture)) == ["unfinished \(next)"])
        // While an operation is under way it may be what that makes.
        let holder = try StoreLock(fixture.root.appending("lock")).open(until: .after(.seconds(5)))
        try elsewhere { try holder.lock(.store, exclusively: false) }
        #expect(informed(try check(fixture)).contains("unfinished \(next)"))
        #expect(try check(fixture).isClean)
        try holder.unlock(.store)
        let mended = try repair(fixture)
        #expect(mended.findings == [])
        #expect(try fixture.thinDeviceIDs() == fixture.registeredIDs())
        try fixture.finish()
    }

    @Test func adoptsAndForgetsOnlyWhatItCan() throws {
        let fixture = try StoreFixture()
        for name in ["a", "b"] { try fixture.store.create(LayerID(name)) }
        let number = try fixture.registeredIDs()[1]
        func adopting(_ device: Int, _ id: String) throws -> StoreRepairOrders {
            StoreRepairOrders(
                adopted: [.init(try #require(ThinDeviceID(device)), as: try LayerID(id))])
        }
        let wrong = [
            (StoreRepairOrders(forgotten: [try LayerID("a")]), "the pool has its thin device"),
            (StoreRepairOrders(forgotten: [try LayerID("nobody")]), "there is no such layer"),
            (try adopting(number, "c"), "a has it"), (try adopting(4000, "c"), "the pool has no such thin device"),
            (try adopting(5001, "b"), "there is a file b already"),
            (try adopting(5001, "c"), "there is no file system on it"),
            (StoreRepairOrders(deleted: [try #require(ThinDeviceID(number))]), "a has it"),
        ]
        for (orders, words) in wrong {
            _ = try Shell.runForStatus("dmsetup message '\(poolName(fixture))' 0 'create_thin 5001'")
            let report = try repair(fixture, orders)
            #expect(report.failures.count == 1)
            #expect(report.failures.first?.contains(words) == true, "\(report.failures)")
        }
        let (status, output) = try fixture.run("check --repair --forget a")
        #expect(status == 1)
        #expect(output.contains("dmlayer: cannot forget a: the pool has its thin device"), "\(output)")
        for arguments in ["--forget a", "--repair --adopt x=y", "--repair --adopt 7", "--repair --delete 16777216"] {
            #expect(try fixture.run("check \(arguments)").status == 64)
        }
        // The orphan went with the first of these.
        #expect(try check(fixture).isClean)
        #expect(try fixture.registeredIDs().count == 3)
        try fixture.finish()
    }

    @Test func deletesNothingWithoutTheBaseDevice() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("layer"))
        try fixture.store.write("precious", to: "file", in: LayerID("layer"))
        try fixture.store.shutdown()
        // A directory that is not this pool's: all thin devices are without a layer.
        try Shell.run("cd '\(fixture.root)' && mv metadata elsewhere && mkdir metadata && cp elsewhere/d* metadata")
        let report = try repair(fixture)
        #expect(found(report) == ["base_device base", "orphan_device 1", "orphan_device 2"])
        #expect(try fixture.thinDeviceIDs() == [1, 2])
        // Made anew from what the pool has.
        let (status, output) = try fixture.run("check --repair --adopt 1=base --adopt 2=layer")
        #expect(status == 0, "\(output)")
        let store = try fixture.reopened()
        #expect(try store.read("file", in: LayerID("layer")) == "precious")
        try store.create(LayerID("new"))
        try store.shutdown()
        #expect(try fixture.thinDeviceIDs().count == 3)
        #expect(try check(fixture).findings == [])
    }

    // MARK: The pool

    @Test func namesWhatTheSuperblockSays() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("layer"))
        try fixture.store.shutdown()
        let file = fixture.root.appending("devicemapper/metadata")
        let original = try Shell.run("md5sum < '\(file)'")
        try Shell.run("cp '\(file)' '\(fixture.scratch.path)/fs/kept'")
        try editSuperblock(fixture) { bytes in
            put(UInt32(1), at: 4, in: &bytes)
            put(UInt32(1 << 23), at: 44, in: &bytes)
        }
        let report = try check(fixture)
        #expect(found(report) == ["pool_mode \(file)", "clock \(1 << 23)"])
        #expect(report.findings.contains { $0.message.contains("must be checked before") })
        // The kernel makes such a pool read-only.
        try Shell.run(
            """
            cd '\(fixture.root)/devicemapper'
            data=$(losetup --find --show data) metadata=$(losetup --find --show metadata)
            dmsetup create checked --table "0 2097152 thin-pool $metadata $data 128 0 1 skip_block_zeroing"
            losetup --detach $data $metadata # as soon as the pool is gone
            """)
        #expect(found(try check(fixture)).contains("pool_mode \(file)"))
        try Shell.run("dmsetup remove checked")
        try editSuperblock(fixture) { bytes in
            put(UInt32(0), at: 4, in: &bytes)
            put(UInt32(1 << 24) - 2000, at: 44, in: &bytes)
        }
        let late = try check(fixture)
        #expect(late.findings.map(\.severity) == [.error])
        #expect(try #require(late.findings.first?.message).contains("no more layers are made"))
        do {
            // Everything else goes on.
            let store = try fixture.reopened()
            let refusal = #expect(throws: LayerStoreError.self) { try store.create(LayerID("late")) }
            #expect(refusal?.code == .notEnoughSpace)
            #expect(refusal?.reason.contains("65536 must be left") == true)
            #expect(refusal?.reason.contains("dmlayer diff") == true)
            let layer = try #require(
                try store.layers().compactMap { if case .layer(let id, _) = $0, id != .base { id } else { nil } }.first)
            _ = try store.mount(layer)
            try store.unmount(layer)
            try store.shutdown()
        }

        try Shell.run("cp '\(fixture.scratch.path)/fs/kept' '\(file)'")
        #expect(try Shell.run("md5sum < '\(file)'") == original)
        #expect(try check(fixture).isClean)
        try write(
            #"{"open_transaction_id":5,"device_hash":"layer","device_id":4711}"#,
            to: fixture.root.appending("metadata/transaction-metadata"))
        #expect(found(try check(fixture)) == ["transaction transaction-metadata"])
        #expect(try repair(fixture).findings == [])
        try editSuperblock(fixture) { put(UInt64(9), at: 48, in: &$0) }
        try write(
            #"{"open_transaction_id":5,"device_hash":"layer","device_id":4711}"#,
            to: fixture.root.appending("metadata/transaction-metadata"))
        #expect(informed(try check(fixture)) == ["transaction transaction-metadata"])
        try Shell.run("rm '\(fixture.root)/metadata/transaction-metadata'")
        try Shell.run("sed -i 's/\"transaction_id\":0/\"transaction_id\":10/' '\(fixture.root)/metadata/layer'")
        #expect(found(try check(fixture)) == ["transaction layer"])
        try fixture.finish()
    }

    @Test func namesAStoreThatDoesNotFitItsPool() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("layer"))
        try fixture.store.write("precious", to: "file", in: LayerID("layer"))
        try fixture.store.shutdown()
        let root = fixture.root
        try Shell.run("cp -r '\(root)/metadata' '\(root)/store.json' '\(fixture.scratch.path)/fs'")
        func restore() throws {
            try Shell.run(
                "cp -r '\(fixture.scratch.path)/fs/metadata' '\(fixture.scratch.path)/fs/store.json' '\(root)'")
        }
        let cases = [
            ("sed -i 's/\"BaseDeviceUUID\":\"....../&x/' metadata/deviceset-metadata", ["base_device base"]),
            (
                "sed -i s/ext4/xfs/ metadata/deviceset-metadata",
                ["device_set store.json", "device_set deviceset-metadata"]
            ),
            ("sed -i 's/\"ext4\"/\"xfs\"/' store.json", ["device_set store.json"]),
            ("sed -i s/65536/131072/ store.json", ["configuration store.json"]),
            ("sed -i 's/^{/{{/' store.json", ["configuration store.json"]),
            ("sed -i 's/\"store_id\":\"..../&z/' store.json", ["configuration store.json"]),
            ("rm metadata/base", ["base_device base", "unfinished 1"]),
            ("sed -i 's/\"initialized\":true/\"initialized\":false/' metadata/base", ["base_device base"]),
        ]
        for (damage, expected) in cases {
            try Shell.run("cd '\(root)' && \(damage)")
            #expect(found(try check(fixture)) == Set(expected), "\(damage)")
            try restore()
        }
        #expect(try check(fixture).isClean)
        for damage in ["rm", "truncate --size=10"] {
            try Shell.run("\(damage) '\(root)/metadata/deviceset-metadata'")
            #expect(found(try check(fixture)) == ["device_set deviceset-metadata"])
            #expect(try repair(fixture).findings == [], "\(damage)")
        }
        // The hidden ones reserve numbers, and change.
        #expect(
            try Shell.run("diff -r --exclude='.*' '\(fixture.scratch.path)/fs/metadata' '\(root)/metadata' || true")
                .contains("Only in") == false)
        #expect(
            try Shell.run("cd '\(root)' && jq .BaseDeviceUUID metadata/deviceset-metadata")
                == Shell.run("cd '\(fixture.scratch.path)/fs' && jq .BaseDeviceUUID metadata/deviceset-metadata"))

        // A file that was cut short, behind and within what is used.
        try Shell.run("cd '\(root)/devicemapper' && cp --sparse=always data kept && truncate --size=900M data")
        #expect(found(try check(fixture)) == ["backing_store \(root)/devicemapper/data"])
        // The repair cannot be done at all.
        #expect(try fixture.run("check --repair").status == 1)
        try Shell.run("cd '\(root)/devicemapper' && mv kept data && cp metadata kept && truncate --size=40K metadata")
        let short = found(try check(fixture))
        #expect(short.contains("backing_store \(root)/devicemapper/metadata"))
        #expect(short.contains("pool_metadata \(root)/devicemapper/metadata"))
        try Shell.run("cd '\(root)/devicemapper' && rm metadata")
        #expect(found(try check(fixture)).contains("backing_store \(root)/devicemapper/metadata"))
        try Shell.run("cd '\(root)/devicemapper' && mv kept metadata")
        try Shell.run("mv '\(root)/metadata' '\(root)/away'")
        #expect(found(try check(fixture)) == ["metadata_directory metadata"])
        try Shell.run("mv '\(root)/away' '\(root)/metadata'")
        #expect(try check(fixture).isClean)
        #expect(try fixture.store.read("file", in: LayerID("layer")) == "precious")
        try fixture.finish()
        #expect {
            try LayerStore.check(fixture.scratch.path)
        } throws: { ($0 as? LayerStoreError)?.code == .notInitialized }
    }

    @Test func namesMappedDevicesThatDoNotFit() throws {
        let fixture = try StoreFixture()
        for name in ["a", "b", "c"] { try fixture.store.create(LayerID(name)) }
        for name in ["a", "b", "c"] { _ = try fixture.store.mount(LayerID(name)) }
        let prefix = try poolName(fixture).dropLast(4)
        try Shell.run("dmsetup suspend '\(prefix)a'")
        defer { _ = try? Shell.run("dmsetup resume '\(prefix)a'") }
        try Shell.run("cd '\(fixture.root)/metadata' && mv c ../c && cp a ../a && sed -i s/:2,/:3,/ a")
        let report = try check(fixture)
        #expect(
            found(report).isSuperset(of: [
                "mapped_device \(prefix)a", "mapped_device \(prefix)c", "duplicate_device a b",
            ]))
        #expect(report.findings.contains { $0.message.contains("is suspended") })
        #expect(
            report.findings.contains { $0.message.contains("no layer has its thin device 2") })
        try Shell.run("cd '\(fixture.root)' && mv a c metadata")
        #expect(found(try check(fixture)) == ["mapped_device \(prefix)a"])
        #expect(try repair(fixture).findings == [])
        try Shell.run("timeout 20 touch '\(fixture.root)/mnt/a/rootfs/writable'")
        try fixture.finish()
    }

    @Test func saysWhatToDoAboutAPoolThatHasFailed() throws {
        let fixture = try DMFixture()
        let data = try fixture.device("data", "0 2097152 linear \(fixture.disk("data-file", size: 1 << 30)) 0").number
        let disk = try fixture.disk("meta-file", size: 16 << 20)
        let metadata = try fixture.device("meta", "0 32768 linear \(disk) 0").number
        let root = fixture.scratch.appending("root")
        let options = [
            "dm.basesize=300m", "dm.fs=ext4", "dm.datadev=/dev/dm-\(data.minor)",
            "dm.metadatadev=/dev/dm-\(metadata.minor)",
        ]
        let store = try LayerStore.initialize(root, options: StorageOptions(parsing: options))
        try store.create(LayerID("layer"))
        #expect(try LayerStore.check(root).findings == [])
        let name = fixture.prefix + "meta"
        func replace(_ table: String) throws {
            try Shell.run(
                "dmsetup load \(name) --table '\(table)' && dmsetup suspend --noflush \(name) && dmsetup resume \(name)"
            )
        }
        // Writes fail, reads do not: the pool becomes read-only, and must be checked.
        try replace("0 32768 flakey \(disk) 0 0 60 1 error_writes")
        // The kernel answers the message with success; only the pool's mode tells that nothing was committed.
        let refusal = #expect(throws: LayerStoreError.self) { try store.create(LayerID("other")) }
        #expect(refusal?.reason.contains("could not commit the new thin device") == true, "\(refusal as Any)")
        let report = try LayerStore.check(root)
        let advice = try #require(report.findings.first { $0.kind == .poolMode }?.advice)
        let command = "dmlayer metadata check --clear-needs-check /dev/dm-\(metadata.minor)"
        #expect(advice.contains(command), "\(report.findings)")
        try replace("0 32768 linear \(disk) 0")
        try store.shutdown()
        try Shell.run("thin_check --clear-needs-check-flag /dev/dm-\(metadata.minor)")
        // Nothing works any more: the pool fails.
        #expect(try LayerStore.check(root).findings.allSatisfy { $0.kind != .poolMode })
        _ = try store.status()
        try replace("0 32768 error")
        try Shell.run("dmsetup message \(poolName(of: root)) 0 'set_transaction_id 0 1'")
        let (status, output) = try DMLayerCommand.runForStatus("--root '\(root)' check")
        #expect(status == 2)
        #expect(output.contains("the pool has failed"), "\(output)")
        try? store.shutdown()
        for device in [data, metadata] { _ = try? fixture.control.removeDevice(.number(device)) }
    }

    private func poolName(of root: FilePath) throws -> String {
        let status = try Stat(root)
        return "docker-\(DeviceNumber(status.deviceID))-\(status.inode.rawValue)-pool"
    }

    @Test func leavesAPoolOfSomebodyElseToThem() throws {
        let fixture = try DMFixture()
        let (metadata, data) = (
            try fixture.disk("meta-file", size: 16 << 20), try fixture.disk("data-file", size: 1 << 30)
        )
        let table = "0 2097152 thin-pool \(metadata) \(data) 256 0 1 skip_block_zeroing"
        let pool = try fixture.device("pool", table)
        let root = fixture.scratch.appending("root")
        let store = try LayerStore.initialize(
            root,
            options: StorageOptions(parsing: ["dm.basesize=300m", "dm.fs=ext4", "dm.thinpooldev=\(pool.name)"]))
        try store.create(LayerID("layer"))
        try fixture.control.sendMessage("create_thin 5000", to: .name(pool.name))
        let report = try LayerStore.repair(root)
        #expect(found(report) == ["orphan_device 5000"])
        #expect(report.findings.first?.advice?.contains("--delete 5000") == true)
        #expect(try !LayerStore.check(root).isClean)
        let orders = StoreRepairOrders(deleted: [try #require(ThinDeviceID(5000))])
        #expect(try LayerStore.repair(root, orders: orders).findings == [])
        try store.shutdown()
        try fixture.control.removeDevice(.name(pool.name))
        #expect(found(try LayerStore.check(root)) == ["pool \(pool.name)"])
        #expect(found(try LayerStore.repair(root)) == ["pool \(pool.name)"])
        try fixture.device("pool", table)
        #expect(try LayerStore.check(root).findings == [])
        try store.shutDownLeavingNothing(at: root)
    }
}
