import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// What is in layers, on a real kernel.
@Suite(.serialized) struct StoreLayerTests {
    @Test func layersAreIndependentOfEachOther() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        try store.create(LayerID("image"))
        try fixture.write("echo one > file; mkdir d; echo kept > d/kept", to: "image")
        try store.create(LayerID("second"), parent: LayerID("image"))
        try fixture.write("echo two > file; rm -r d; echo new > new", to: "second")
        for child in ["a", "b"] {
            try store.create(LayerID(child), parent: LayerID("second"))
            try fixture.write("echo \(child) >> file; echo \(child) > own-\(child)", to: child)
        }
        #expect(try fixture.output(of: "cat file d/kept; ls", in: "image") == "one\nkept\nd\nfile")
        #expect(try fixture.output(of: "cat file; ls", in: "second") == "two\nfile\nnew")
        #expect(try fixture.output(of: "cat file; ls", in: "a") == "two\na\nfile\nnew\nown-a")
        #expect(try fixture.output(of: "cat file; ls", in: "b") == "two\nb\nfile\nnew\nown-b")
        for id in ["image", "second", "a", "b"] { try fixture.run("e2fsck -fn $device", onDeviceOf: id) }
        // What was made from a layer stays when the layer goes.
        try store.remove(LayerID("second"))
        #expect(try fixture.output(of: "cat file", in: "a") == "two\na")
        try fixture.shutDownAndCheck()
    }

    /// Docker's CreateEmpty, CreateBase and CreateSnap.
    @Test func doesWhatDockerAsksOfADriver() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        try store.create(LayerID("empty"))
        #expect(try fixture.layerIDs() == ["empty"])
        let path = try store.mount(LayerID("empty"))
        #expect(try Shell.run("stat --format='%a %u:%g' '\(path)'; ls -A '\(path)'") == "755 0:0")
        try store.unmount(LayerID("empty"))
        try store.remove(LayerID("empty"))
        #expect(try fixture.layerIDs().isEmpty)

        try store.create(LayerID("Base"))
        try fixture.write(
            """
            umask 0; mkdir 'a subdir'; chown 1:2 'a subdir'; chmod 1705 'a subdir'
            touch 'a file'; chmod 4222 'a file'
            """, to: "Base")
        try store.create(LayerID("Snap"), parent: LayerID("Base"))
        for id in ["Base", "Snap"] {
            #expect(
                try fixture.output(of: "stat --format='%n %a %u:%g %F' *", in: id)
                    == "a file 4222 0:0 regular empty file\na subdir 1705 1:2 directory")
        }
        try fixture.shutDownAndCheck()
    }

    @Test func snapshotsAParentThatIsBeingWritten() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        try store.create(LayerID("parent"))
        let path = try store.mount(LayerID("parent"))
        let writer = Result {
            try Shell.run("(while :; do date +%N >> '\(path)/log'; done) > /dev/null 2>&1 & echo $!")
        }
        for index in 0..<5 { try store.create(LayerID("s\(index)"), parent: LayerID("parent")) }
        try Shell.run("kill \(writer.get()); sleep 0.1; echo more > '\(path)/more'; sync -f '\(path)'")
        try store.unmount(LayerID("parent"))
        for index in 0..<5 { try fixture.run("e2fsck -fn $device", onDeviceOf: "s\(index)") }
        try fixture.shutDownAndCheck()
    }

    /// Whatever fails while a snapshot is made: the parent runs on, and no number is lost.
    @Test func resumesTheParentWhenTheSnapshotFails() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        try store.create(LayerID("parent"))
        let path = try store.mount(LayerID("parent"))
        let faults: [@Sendable (StoreTransport.Sent) -> Bool] = [
            { $0.command == .suspendDevice && $0.suspends }, { $0.message?.hasPrefix("create_snap") == true },
            { $0.command == .suspendDevice && !$0.suspends },
        ]
        for (index, isMeant) in faults.enumerated() {
            for effect in [StoreTransport.Effect.failsBefore, .failsAfter] {
                fixture.transport.meddleOnce(effect, isMeant)
                #expect(throws: LayerStoreError.self) {
                    try store.create(LayerID("child"), parent: LayerID("parent"))
                }
                fixture.transport.meddle(nil)
                let name = try DeviceName(fixture.prefix + "parent")
                #expect(try !Control().information(on: .name(name)).isSuspended, "fault \(index) \(effect)")
                try Shell.run("timeout 5 sh -c \"echo \(index) >> '\(path)/log'; sync -f '\(path)'\"")
            }
        }
        #expect(try fixture.layerIDs() == ["parent"])
        try store.create(LayerID("child"), parent: LayerID("parent"))
        try store.unmount(LayerID("parent"))
        #expect(try fixture.output(of: "wc -l < log", in: "child") == "6")
        try fixture.shutDownAndCheck()
    }

    @Test(arguments: ["ext4", "xfs"]) func growsWithALargerSize(filesystem: String) throws {
        let fixture = try StoreFixture(options: StoreFixture.smallOptions + ["dm.fs=\(filesystem)"])
        let store = fixture.store
        try store.create(LayerID("small"))
        try store.create(LayerID("large"), size: 600 << 20)
        try store.create(LayerID("child"), parent: LayerID("large"))
        let sizes = try ["small", "large", "child"].map { id in
            try #require(try Int(fixture.output(of: "df --output=size -B 1M . | tail -1 | tr -d ' '", in: id)))
        }
        #expect(sizes[0] < 310)
        #expect(sizes[1] > 500 && sizes[1] <= 600)
        #expect(sizes[2] == sizes[1])
        let check = filesystem == "ext4" ? "e2fsck -fn $device" : "xfs_repair -n $device"
        for id in ["small", "large", "child"] { try fixture.run(check, onDeviceOf: id) }
        #expect {
            try store.create(LayerID("x"), parent: LayerID("large"), size: 300 << 20)
        } throws: {
            StoreFixture.has(.sizeTooSmall, $0) && "\($0)".contains("629.1MB") && "\($0)".contains("314.6MB")
        }
        try fixture.shutDownAndCheck()
    }

    @Test func mountsTwoSiblingsOnXFS() throws {
        let fixture = try StoreFixture(options: StoreFixture.smallOptions + ["dm.fs=xfs"])
        let store = fixture.store
        try store.create(LayerID("image"))
        try fixture.write("echo image > file", to: "image")
        for id in ["a", "b"] {
            try store.create(LayerID(id), parent: LayerID("image"))
            let path = try store.mount(LayerID(id))
            try Shell.run("echo \(id) >> '\(path)/file'")
        }
        for id in ["a", "b"] { try store.unmount(LayerID(id)) }
        #expect(try fixture.output(of: "cat file", in: "a") == "image\na")
        #expect(try fixture.output(of: "cat file", in: "b") == "image\nb")
        for id in ["image", "a", "b"] { try fixture.run("xfs_repair -n $device", onDeviceOf: id) }
        try fixture.shutDownAndCheck()
    }

    @Test func countsMounts() throws {
        let fixture = try StoreFixture()
        let store = fixture.store
        let id = try LayerID("a")
        try store.create(id)
        let path = try store.mount(id)
        #expect(try store.mount(id) == path)
        try store.unmount(id)
        #expect(try store.details(of: id).mountPath == path)
        try store.unmount(id)
        #expect(try store.details(of: id).mountPath == nil)
        try store.unmount(id)
        // Somebody else takes down what is mounted here.
        _ = try store.mount(id)
        #expect(try fixture.command("unmount a").status == 0)
        #expect(try store.details(of: id).mountPath == nil)
        _ = try store.mount(id)
        try store.unmount(id)
        #expect(try store.details(of: id).mountPath == nil)
        try fixture.shutDownAndCheck()
    }
}
