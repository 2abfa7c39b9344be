import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Bad input: a clear error, and nothing is lost.
@Suite(.serialized) struct StoreRefusalTests {
    @Test func refusesBadArguments() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("there"), size: 400 << 20)
        let long = String(repeating: "x", count: 300)
        let cases = [
            ("create a/b", "“a/b” is no layer id"), ("create ..", "“..” is no layer id"),
            ("create ''", "a layer id cannot be empty"), ("create \(long)", "has 300 characters"),
            ("create base", "“base” cannot be a layer id"), ("create deviceset-metadata", "cannot be a layer id"),
            ("create new --parent nowhere", "the parent layer nowhere does not exist"),
            ("create there", "there is a layer there already"),
            ("create new --parent there --size 300m", "314.6MB is smaller than its parent there with 419.4MB"),
            (
                "create new --parent there --size 300m",
                "give at least 419430400 bytes, or no size for that of the parent"
            ),
            ("mount nowhere", "the layer nowhere does not exist"),
            ("unmount nowhere", "the layer nowhere does not exist"),
            ("inspect nowhere", "the layer nowhere does not exist"),
            (
                "list --storage-opt dm.basesize=1g",
                "dm.basesize=1073741824 was given, but the base device has 314572800"
            ),
            ("init --storage-opt dm.blocksize=128k", "the store was made with dm.blocksize=65536"),
            ("init --owner 1:1", "the store was made for root"),
            ("list --storage-opt dm.fs=xfs", "dm.fs=xfs was given, but the store was made with dm.fs=ext4"),
            ("list --storage-opt dm.nonsense=1", "there is no storage option “dm.nonsense”"),
        ]
        for (arguments, message) in cases {
            let (status, output) = try fixture.run(arguments)
            #expect(status == 1, "\(arguments)")
            #expect(output.contains(message), "\(arguments): \(output)")
        }
        #expect(try fixture.run("create new --size much").status == 64)
        #expect(try fixture.run("remove nowhere").status == 0)
        #expect(try fixture.run("init").status == 0)
        try fixture.finish()
    }

    /// A change of the base device would change every layer that is made later, so operations on layers refuse it.
    @Test func takesTheBaseDeviceForNoLayer() throws {
        let fixture = try StoreFixture()
        func isRefusal(_ error: any Error) -> Bool { (error as? LayerStoreError)?.code == .invalidLayerID }
        #expect(performing: { try fixture.store.mount(.base) }, throws: isRefusal)
        #expect(performing: { try fixture.store.remove(.base) }, throws: isRefusal)
        try fixture.store.create(LayerID("layer"))
        try fixture.finish()
    }

    /// A store in the mount point of a file system that is not mounted would hide the one on that file system, or be hidden.
    @Test func makesNoStoreInAMountPointWithoutAMount() throws {
        let scratch = try ScratchDirectory()
        try Shell.run(
            "mkdir -p '\(scratch.path)/disk' && echo '/dev/lost \(scratch.path)/disk ext4 nofail 0 2' > '\(scratch.path)/fstab'"
        )
        for command in ["init", "serve --socket '\(scratch.path)/socket'"] {
            let (status, output) = try Shell.runForStatus(
                """
                unshare -m sh -c "mount --bind '\(scratch.path)/fstab' /etc/fstab && \
                    timeout 20 '\(DMLayerCommand.path)' --root '\(scratch.path)/disk/root' \(command)"
                """)
            #expect(status == 1 && output.contains("“mount \(scratch.path)/disk”"), "\(output)")
        }
        #expect(try Shell.run("ls '\(scratch.path)/disk'") == "")
    }

    @Test func refusesWhereItMayNot() throws {
        let fixture = try StoreFixture()
        let (status, output) = try Shell.runForStatus(
            "setpriv --reuid=65534 --regid=65534 --clear-groups '\(DMLayerCommand.path)' dm ls")
        #expect(status == 1)
        #expect(output.contains("root"), "\(output)")
        #expect {
            try Control(transport: KernelTransport(path: fixture.scratch.appending("missing")))
        } throws: {
            ($0 as? DeviceMapperError)?.code == .noDeviceMapper
        }
        #expect { try Control(transport: KernelTransport(path: "/dev/null")).version() } throws: {
            ($0 as? DeviceMapperError)?.errno == .inappropriateIOCTLForDevice
        }
        try fixture.finish()
    }

    @Test func makesNoStoreOnAFullDisk() throws {
        let scratch = try ScratchDirectory()
        let small = try scratch.makeDirectory("small")
        try Shell.run(
            "mount -t tmpfs -o size=64k none '\(small)' && dd if=/dev/zero of='\(small)/full' bs=1k 2>/dev/null || true"
        )
        #expect {
            try LayerStore.initialize(small.appending("root"))
        } throws: {
            ($0 as? LayerStoreError)?.code == .notEnoughSpace
        }
        // The same goes on where it was interrupted.
        try Shell.run("rm '\(small)/full' && mount -o remount,size=1g '\(small)'")
        let store = try LayerStore.initialize(
            small.appending("root"), options: StorageOptions(parsing: StoreFixture.options))
        try store.create(LayerID("layer"))
        try store.shutDownLeavingNothing(at: small.appending("root"))
    }

    @Test func losesNothingOnAFullDisk() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("before"))
        try fixture.store.shutdown()
        // The pool's files stay where they are: a disk that is full for the pool's metadata damages the pool.
        let metadata = fixture.root.appending("metadata")
        try Shell.run(
            """
            cp -a '\(metadata)' '\(metadata).copy' && mount -t tmpfs -o size=40k none '\(metadata)'
            cp -a '\(metadata).copy/.' '\(metadata)/'
            """)
        let store = try fixture.reopened()
        var made: [LayerID] = []
        while made.count < 20 {
            do {
                let id = try LayerID("full-\(made.count)")
                try store.create(id)
                made.append(id)
            } catch {
                #expect(error.code == .notEnoughSpace, "\(error)")
                break
            }
        }
        #expect(made.count < 20)
        // Nothing is removed durably without space either, but nothing stands in the way of making some.
        try store.remove(made[0])
        try store.create(LayerID("after"))
        #expect(try store.layers().count == made.count + 2)
        try store.shutdown()
        #expect(try fixture.thinDeviceIDs().count == store.layers().count)
        try Shell.run("thin_check --quiet '\(fixture.root)/devicemapper/metadata'; umount -l '\(metadata)'")
        #expect(try fixture.devices() == [])
    }

    @Test func refusesADataFileThatWasCutShort() throws {
        let fixture = try StoreFixture()
        try fixture.store.shutdown()
        try Shell.run("truncate --size=512M '\(fixture.root)/devicemapper/data'")
        let (status, output) = try fixture.run("info")
        #expect(status == 1)
        #expect(output.contains("has 536870912 bytes and was made with 1073741824"), "\(output)")
        try Shell.run("truncate --size=1G '\(fixture.root)/devicemapper/data'")
        try fixture.finish()
    }

    /// For any content of one layer's file, the other layers work, and nothing is deleted that the file may be about.
    @Test(arguments: [
        "", "{", "null", "[]", "{}", "{\"device_id\":\"2\"}", "\u{0}\u{1}\u{2}",
        "{\"device_id\":16777216,\"size\":1,\"transaction_id\":0,\"initialized\":false,\"deleted\":false}",
        "{\"device_id\":-1,\"size\":1,\"transaction_id\":0,\"initialized\":false,\"deleted\":false}",
        "{\"device_id\":2,\"size\":-5,\"transaction_id\":0,\"initialized\":false,\"deleted\":false}",
    ])
    func worksBesideADamagedFile(content: String) throws {
        let fixture = try StoreFixture()
        let damaged = fixture.root.appending("metadata/damaged")
        for name in ["damaged", "whole"] { try fixture.store.create(LayerID(name)) }
        try fixture.store.write("precious", to: "file", in: LayerID("damaged"))
        try fixture.store.shutdown()
        try Shell.run("cp '\(damaged)' '\(fixture.scratch.path)/good'")
        let file = try FileDescriptor.open(damaged, .writeOnly, options: .truncate)
        _ = try file.closeAfter { try file.writeAll(content.utf8) }

        let store = try fixture.reopened()
        let names = try store.layers().compactMap { if case .damaged(let name, _) = $0 { name } else { nil } }
        #expect(names == ["damaged"])
        #expect { try store.mount(LayerID("damaged")) } throws: { ($0 as? LayerStoreError)?.code == .damagedMetadata }
        #expect { try store.remove(LayerID("damaged")) } throws: { ($0 as? LayerStoreError)?.code == .damagedMetadata }
        try store.write("x", to: "file", in: LayerID("whole"))
        try store.create(LayerID("new"), parent: LayerID("whole"))
        let (status, output) = try fixture.run("list")
        #expect(status == 0)
        #expect(output.contains("layer damaged: "), "\(output)")

        try Shell.run("cp '\(fixture.scratch.path)/good' '\(damaged)'")
        #expect(try store.read("file", in: LayerID("damaged")) == "precious")
        try store.shutdown()
        try fixture.finish()
    }

    @Test func refusesFilesThatAnotherPoolUses() throws {
        let fixture = try StoreFixture()
        // Another root whose files are the same ones.
        let other = fixture.root.removingLastComponent().appending("other")
        try Shell.run(
            """
            mkdir -p '\(other)/devicemapper' && cp -r '\(fixture.root)/metadata' '\(other)/' && mkdir '\(other)/mnt'
            ln '\(fixture.root)/devicemapper/data' '\(fixture.root)/devicemapper/metadata' '\(other)/devicemapper/'
            sed 's/"store_id":"......../"store_id":"00000000/' '\(fixture.root)/store.json' > '\(other)/store.json'
            """)
        let (status, output) = try DMLayerCommand.runForStatus("--root '\(other)' info")
        #expect(status == 1)
        #expect(output.contains("in use already"), "\(output)")
        #expect(output.contains("-pool"), "\(output)")
        // And one that is a copy, with the same identity.
        try Shell.run("cp '\(fixture.root)/store.json' '\(other)/store.json'")
        let copy = try DMLayerCommand.runForStatus("--root '\(other)' create layer")
        #expect(copy.status == 1)
        #expect(copy.output.contains("of which"), "\(copy.output)")
        #expect(try fixture.devices().count == 1)
        try fixture.finish()
    }
}
