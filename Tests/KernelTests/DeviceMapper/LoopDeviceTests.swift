import BlockDevices
import DeviceMapper
import SystemPackage
import TestSupport
import Testing

/// Loop devices of a real kernel, compared with what losetup says about them.
@Suite(.serialized) struct LoopDeviceTests {
    static let interfaces: [LoopDevice.Interface] = [.configure, .setDescriptor]

    let scratch: ScratchDirectory

    init() throws {
        scratch = try ScratchDirectory()
    }

    /// losetup's words about a device, in the order of the columns.
    private func losetup(_ device: LoopDevice, _ columns: String) throws -> [Substring] {
        try Shell.run("losetup --list --noheadings --raw --output \(columns) \(device.path)").split(separator: " ")
    }

    private func isAttached(_ path: FilePath) throws -> Bool {
        !(try Shell.run("losetup --associated '\(path)'").isEmpty)
    }

    @Test(arguments: interfaces) func attachesUntilTheLastUserLetsGo(interface: LoopDevice.Interface) throws {
        let file = try scratch.makeSparseFile("data", size: 8 << 20)
        let loop = try LoopDevice.attach(file, options: .init(), interface: interface)

        #expect(try losetup(loop, "BACK-FILE,RO,AUTOCLEAR,OFFSET") == ["\(file)", "0", "1", "0"])
        #expect(try Shell.run("blockdev --getsize64 \(loop.path)") == "\(8 << 20)")
        #expect(try Shell.run("stat --format=%Hr:%Lr \(loop.path)") == loop.number.description)
        let status = try loop.status()
        #expect(try Shell.run("stat --format='%Hd:%Ld %i' \(file)") == "\(status.backingDevice) \(status.backingInode)")
        #expect(status.detachesAfterLastUse)
        #expect(!status.isReadOnly)
        #expect(status.fileName == file.string)

        let second = try LoopDevice(number: loop.number)
        loop.close()
        #expect(try isAttached(file))
        second.close()
        #expect(try !isAttached(file))
    }

    @Test(arguments: interfaces) func attachesForReading(interface: LoopDevice.Interface) throws {
        let file = try scratch.makeSparseFile("data", size: 1 << 20)
        try Shell.run("chmod 400 \(file)")
        let loop = try LoopDevice.attach(file, options: .init(isReadOnly: true), interface: interface)
        defer { loop.close() }
        #expect(try losetup(loop, "RO") == ["1"])
        #expect(try loop.status().isReadOnly)
        #expect(try loop.device.isReadOnly())
        #expect(throws: BlockDeviceError.self) { try loop.device.zero(offset: 0, length: 4096) }
        // Two readers do no harm to each other.
        let second = try LoopDevice.attach(file, options: .init(isReadOnly: true), interface: interface)
        #expect(second.number != loop.number)
        second.close()
    }

    @Test(arguments: interfaces) func usesDirectIOWhereTheFileTakesIt(interface: LoopDevice.Interface) throws {
        // The scratch directory is on tmpfs, which does not take it, or does from Linux 6.6 on.
        let onTmpfs = try scratch.makeSparseFile("image", size: 64 << 20)
        let outer = try LoopDevice.attach(onTmpfs, options: .init(), interface: interface)
        defer { outer.close() }
        #expect(try losetup(outer, "DIO") == [try outer.status().usesDirectIO ? "1" : "0"])

        let mountPoint = try scratch.makeDirectory("ext4")
        try Shell.run("mkfs.ext4 -q \(outer.path) && mount \(outer.path) \(mountPoint)")
        try Shell.run("truncate --size=1M \(mountPoint)/data")
        for prefersDirectIO in [true, false] {
            let inner = try LoopDevice.attach(
                mountPoint.appending("data"), options: .init(prefersDirectIO: prefersDirectIO), interface: interface)
            #expect(try inner.status().usesDirectIO == prefersDirectIO)
            #expect(try losetup(inner, "DIO") == [prefersDirectIO ? "1" : "0"])
            inner.close()
        }
        try Shell.run("umount \(mountPoint)")
    }

    /// An overlay takes direct I/O, whatever the file system below it can do.
    @Test(arguments: interfaces) func readsAFileOnAnOverlayOfTmpfs(interface: LoopDevice.Interface) throws {
        let mountPoint = try scratch.makeDirectory("overlay")
        try Shell.run(
            """
            cd \(scratch.path) && mkdir tmpfs && mount -t tmpfs none tmpfs && mkdir tmpfs/lower tmpfs/upper tmpfs/work
            mount -t overlay -o lowerdir=tmpfs/lower,upperdir=tmpfs/upper,workdir=tmpfs/work none \(mountPoint)
            truncate --size=8M \(mountPoint)/data
            """)
        let loop = try LoopDevice.attach(mountPoint.appending("data"), options: .init(), interface: interface)
        defer { loop.close() }
        #expect(try loop.device.read(offset: 1 << 20, count: 4096) == [UInt8](repeating: 0, count: 4096))
        let bytes = [UInt8](repeating: 7, count: 1 << 20)
        try loop.device.write(bytes, offset: 0)
        try loop.device.flush()
        #expect(try Shell.run("head -c 1048576 \(mountPoint)/data | tr -d '\\007' | wc -c") == "0")
        #expect(try loop.device.logicalBlockSize() == 512)
    }

    /// A disk with blocks of 4096 bytes takes no direct I/O in blocks of 512 bytes, which a file system on the device has.
    @Test(arguments: interfaces) func keepsItsBlockSizeOnADiskWithLargerBlocks(interface: LoopDevice.Interface) throws {
        let disk = try scratch.makeSparseFile("disk", size: 512 << 20)
        let outer = try Shell.run("losetup --find --show --sector-size 4096 \(disk)")
        let mountPoint = try scratch.makeDirectory("ext4")
        try Shell.run("mkfs.ext4 -q \(outer) && mount \(outer) \(mountPoint) && truncate -s 320M \(mountPoint)/data")
        let loop = try LoopDevice.attach(mountPoint.appending("data"), options: .init(), interface: interface)
        #expect(try loop.device.logicalBlockSize() == 512)
        #expect(try losetup(loop, "LOG-SEC,DIO") == ["512", "0"])
        let inner = try scratch.makeDirectory("xfs")
        try Shell.run("mkfs.xfs -q -s size=512 \(loop.path) && mount \(loop.path) \(inner) && umount \(inner)")
        loop.close()
        try Shell.run("umount \(mountPoint) && losetup --detach \(outer)")
    }

    @Test func carriesDataBothWays() throws {
        let file = try scratch.makeSparseFile("data", size: 1 << 20)
        try Shell.run("yes | head --bytes=1M > \(file)")
        let loop = try LoopDevice.attach(file)
        defer { loop.close() }
        #expect(try loop.device.read(offset: 510, count: 4) == Array("y\ny\n".utf8))
        #expect(try loop.device.read(offset: (1 << 20) - 3, count: 4096) == Array("\ny\n".utf8))
        #expect(try loop.device.read(offset: 1 << 20, count: 1).isEmpty)

        try loop.device.zero(offset: 4096, length: 4096)
        #expect(try Shell.run("cmp --bytes=4096 --ignore-initial=4096:0 \(file) /dev/zero").isEmpty)
        #expect(try Shell.run("head --bytes=4096 \(file) | tr --delete 'y\\n' | wc --bytes") == "0")
        #expect(try Shell.run("tail --bytes=+8193 \(file) | tr --delete 'y\\n' | wc --bytes") == "0")
    }

    @Test func discardGivesTheSpaceBack() throws {
        let file = try scratch.makeSparseFile("data", size: 1 << 20)
        try Shell.run("yes | head --bytes=1M > \(file)")
        // LOOP_CONFIGURE of Linux 5.10 alone would leave discards as the last file of the device had them.
        let loop = try LoopDevice.attach(file)
        defer { loop.close() }
        try loop.device.discard(offset: 0, length: 512 << 10)
        #expect(try Shell.run("du --block-size=1K \(file) | cut -f1") == "512")
        #expect { try loop.device.discard(offset: 512 << 10, length: 1 << 20) } throws: {
            ($0 as? BlockDeviceError)?.code == .outOfRange
        }
        #expect { try loop.device.discard(offset: 100, length: 512) } throws: {
            ($0 as? BlockDeviceError)?.code == .outOfRange
        }
        #expect { try loop.device.zero(offset: .max - 511, length: 512) } throws: {
            ($0 as? BlockDeviceError)?.code == .outOfRange
        }
    }

    @Test(arguments: interfaces) func twentyAtOnceGetTwentyDevices(interface: LoopDevice.Interface) throws {
        let files = try (0..<20).map { try scratch.makeSparseFile("data\($0)", size: 1 << 20) }
        let others = try (0..<10).map { try scratch.makeSparseFile("other\($0)", size: 1 << 20) }
        // Other processes, which do the same in losetup's way.
        let strangers = onThreads(1) { _ in
            try Shell.run(others.map { "losetup --find --show \($0) & " }.joined() + "wait")
        }
        let loops = try onThreads(20) { index in
            try LoopDevice.attach(files[index], options: .init(), interface: interface)
        }.map { try $0.get() }
        #expect(Set(loops.map(\.number)).count == 20)
        for (loop, file) in zip(loops, files) {
            #expect(try losetup(loop, "BACK-FILE") == ["\(file)"])
        }
        _ = try strangers.first?.get()
        for loop in loops { loop.close() }
        for file in files { #expect(try !isAttached(file)) }
    }

    @Test func ofManyAttemptsToAttachAFileOneSucceeds() throws {
        let file = try scratch.makeSparseFile("data", size: 1 << 20)
        let results = onThreads(8) { _ in try LoopDevice.attach(file) }
        let loops = results.compactMap { try? $0.get() }
        #expect(loops.count == 1)
        for case .failure(let error) in results {
            #expect((error as? BlockDeviceError)?.code == .alreadyAttached)
        }
        for loop in loops { loop.close() }
        try LoopDevice.attach(file).close()
    }

    @Test func refusesAFileThatAnotherProgramAttached() throws {
        let file = try scratch.makeSparseFile("data", size: 1 << 20)
        let other = try Shell.run("losetup --find --show \(file)")
        let error = try #require(throws: BlockDeviceError.self) { try LoopDevice.attach(file) }
        #expect(error.code == .alreadyAttached)
        #expect(error.description.contains("\(other) has it attached"))
        try Shell.run("losetup --detach \(other)")
        try LoopDevice.attach(file).close()
    }

    @Test func isFoundByItsFileWhateverTheName() throws {
        let file = try scratch.makeSparseFile("data", size: 1 << 20)
        #expect(try LoopDevice.attached(to: file).isEmpty)
        let loop = try LoopDevice.attach(file)
        let renamed = scratch.appending("renamed")
        try Shell.run("mv \(file) \(renamed) && ln \(renamed) \(renamed).link && touch \(file)")
        #expect(try LoopDevice.attached(to: renamed).map(\.number) == [loop.number])
        #expect(try LoopDevice.attached(to: scratch.appending("renamed.link")).map(\.number) == [loop.number])
        #expect(try LoopDevice.attached(to: file).isEmpty)

        // A loop device that was found keeps the device attached, too.
        let found = try LoopDevice.attached(to: renamed)
        loop.close()
        #expect(try isAttached(renamed))
        try found.first?.detach()
        #expect(try !isAttached(renamed))
        #expect(throws: BlockDeviceError.self) { try LoopDevice.attached(to: scratch.appending("nothing")) }
    }

    @Test func growsWithItsFile() throws {
        let file = try scratch.makeSparseFile("data", size: 1 << 20)
        let loop = try LoopDevice.attach(file)
        defer { loop.close() }
        try Shell.run("truncate --size=3M \(file)")
        #expect(try loop.device.size() == 1 << 20)
        try loop.refreshCapacity()
        #expect(try loop.device.size() == 3 << 20)
        #expect(try Shell.run("blockdev --getsize64 \(loop.path)") == "\(3 << 20)")
    }

    @Test func detachWaitsForTheOtherUsers() throws {
        let file = try scratch.makeSparseFile("data", size: 1 << 20)
        let loop = try LoopDevice.attach(file)
        let other = try LoopDevice(number: loop.number)
        try loop.detach()
        #expect(try isAttached(file))
        other.close()
        #expect(try !isAttached(file))
        #expect { try loop.status() } throws: { ($0 as? BlockDeviceError)?.code == .closed }

        let empty = try LoopDevice(number: loop.number)
        #expect { try empty.status() } throws: { ($0 as? BlockDeviceError)?.code == .notAttached }
        #expect { try empty.refreshCapacity() } throws: { ($0 as? BlockDeviceError)?.code == .notAttached }
        #expect { try empty.detach() } throws: { ($0 as? BlockDeviceError)?.code == .notAttached }
        empty.close()
    }

    @Test func makesTheNodeThatIsMissing() throws {
        let file = try scratch.makeSparseFile("data", size: 1 << 20)
        let first = try LoopDevice.attach(file)
        let path = first.path
        first.close()
        try Shell.run("rm \(path)")
        let loop = try LoopDevice.attach(file)
        defer { loop.close() }
        #expect(loop.path == path)
        #expect(try Shell.run("stat --format='%F %Hr:%Lr %a' \(path)") == "block special file \(loop.number) 600")
    }

    @Test func saysWhatIsWrongWithTheFile() throws {
        let directory = try scratch.makeDirectory("directory")
        let empty = try scratch.makeSparseFile("empty", size: 0)
        let loop = try LoopDevice.attach(try scratch.makeSparseFile("data", size: 1 << 20))
        defer { loop.close() }
        let missing = scratch.appending("missing")
        try Shell.run("mkfifo \(scratch.appending("pipe"))")
        for (path, code, words) in [
            (directory, .unsuitableFile, "it is a directory"),
            (empty, .unsuitableFile, "0 bytes"),
            (missing, .notFound, "does not exist"),
            (loop.path, .unsuitableFile, "block device"),
            (scratch.appending("pipe"), .unsuitableFile, "no regular file"),
        ] as [(FilePath, BlockDeviceError.Code, String)] {
            let error = try #require(throws: BlockDeviceError.self) { try LoopDevice.attach(path) }
            #expect(error.code == code)
            #expect(error.description.hasPrefix("cannot attach a loop device to \(path): "))
            #expect(error.description.contains(words))
        }
    }

    @Test func takesALongNameShortened() throws {
        let name = String(repeating: "n", count: 200)
        let file = try scratch.makeSparseFile(name, size: 1 << 20)
        let loop = try LoopDevice.attach(file)
        defer { loop.close() }
        #expect(try loop.status().fileName == String(file.string.prefix(63)))
        #expect(try losetup(loop, "BACK-FILE") == ["\(file)"])
    }
}
