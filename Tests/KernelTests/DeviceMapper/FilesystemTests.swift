import BlockDevices
import DeviceMapper
import Filesystems
import SystemPackage
import TestSupport
import Testing

/// File systems of a real kernel, compared with what e2fsck, xfs_repair, stat and dmsetup's kernel say about them.
@Suite(.serialized) struct FilesystemTests {
    let scratch: ScratchDirectory

    init() throws {
        scratch = try ScratchDirectory()
    }

    @Test(arguments: [(FilesystemType.ext4, "e2fsck -fn"), (.xfs, "xfs_repair -n")])
    func growsWhileItIsMounted(type: FilesystemType, check: String) throws {
        let file = try scratch.makeSparseFile("disk", size: 320 << 20)
        let mountPoint = try scratch.makeDirectory("a mount")
        let loop = try LoopDevice.attach(file)
        defer { loop.close() }
        try FilesystemMaker.make(type, on: loop.path)
        #expect(try Superblock.probe(loop.device)?.uuid == Shell.run("blkid -p -s UUID -o value \(loop.path)"))
        #expect(try !Mount.isMounted(loop.number, at: mountPoint))
        #expect(try !Mount.isMounted(loop.number, at: scratch.appending("nothing")))
        try Mount.mount(loop.path, at: mountPoint, type: type.rawValue, options: ["noatime"])
        #expect(try Mount.isMounted(loop.number, at: mountPoint))
        let entry = try #require(try MountTable.current().entries.first { $0.device == loop.number })
        #expect(entry.mountPoint == mountPoint)
        #expect(entry.options.contains("noatime"))
        let sum = try Shell.run("head -c 3M /dev/urandom > '\(mountPoint)/f'; md5sum < '\(mountPoint)/f'")

        let blocks = "stat --file-system --format=%b '\(mountPoint)'"
        let before = try #require(Int(Shell.run(blocks)))
        try FilesystemGrowth.grow(type, at: mountPoint, to: 320 << 20)
        #expect(try Shell.run(blocks) == "\(before)")
        try Shell.run("truncate --size=512M '\(file)'")
        try loop.refreshCapacity()
        #expect(try loop.device.size() == 512 << 20)
        for _ in 0..<2 { try FilesystemGrowth.grow(type, at: mountPoint, to: 512 << 20) }
        #expect(try #require(Int(Shell.run(blocks))) > before * 3 / 2)
        #expect { try FilesystemGrowth.grow(type, at: mountPoint, to: 320 << 20) } throws: {
            ($0 as? FilesystemError)?.errno == .invalidArgument
        }
        #expect(try Shell.run("md5sum < '\(mountPoint)/f'") == sum)
        try Mount.unmount(mountPoint)
        #expect(try !MountTable.current().entries.contains { $0.device == loop.number })
        try Shell.run("\(check) \(loop.path)")
    }

    @Test func mountingJunkSaysWhereToLook() throws {
        let loop = try LoopDevice.attach(try scratch.makeSparseFile("disk", size: 16 << 20))
        defer { loop.close() }
        let mountPoint = try scratch.makeDirectory("mount")
        #expect(try Superblock.probe(loop.device) == nil)
        #expect { try Mount.mount(loop.path, at: mountPoint, type: "ext4") } throws: {
            ($0 as? FilesystemError)?.errno == .invalidArgument && "\($0)".contains("\(loop.path) at \(mountPoint)")
        }
        #expect { try Mount.mount(loop.path, at: mountPoint, type: "no-such-type") } throws: {
            ($0 as? FilesystemError)?.errno == .operationNotSupportedByDevice
        }
    }

    @Test func namesWhoKeepsAMountBusy() throws {
        let loop = try LoopDevice.attach(try scratch.makeSparseFile("disk", size: 16 << 20))
        defer { loop.close() }
        let mountPoint = try scratch.makeDirectory("mount")
        try FilesystemMaker.make(.ext4, on: loop.path)
        try Mount.mount(loop.path, at: mountPoint, type: "ext4")
        let sleeper = try Shell.run("cd \(mountPoint) && { sleep 100 >/dev/null 2>&1 & echo $!; }")
        let other = try Shell.run("unshare --mount sleep 100 >/dev/null 2>&1 & echo $!")
        defer { _ = try? Shell.run("kill \(sleeper) \(other)") }
        try Shell.run("sleep 0.5")
        #expect { try Mount.unmount(mountPoint) } throws: { ($0 as? FilesystemError)?.errno == .resourceBusy }
        let users = DeviceUser.users(of: loop.number)
        #expect(users.contains(.process(try #require(Int(sleeper)), name: "sleep", path: mountPoint.string)))
        #expect(users.contains(.mount(try #require(Int(other)), name: "sleep", mountPoint: mountPoint.string)))
        try Mount.unmount(mountPoint, isLazy: true)
        #expect(try !MountTable.current().entries.contains { $0.mountPoint == mountPoint })
    }

    @Test func namesTheMappingOnTop() throws {
        let fixture = try DMFixture()
        let disk = try fixture.disk("disk", size: 1 << 20)
        let mapped = try fixture.device("top", "0 2048 linear \(disk) 0", uuid: "TEST-holder")
        let holder = try #require(try DeviceHolder.holders(of: disk).first)
        #expect(holder.number == mapped.number)
        #expect(holder.mapping?.name == fixture.prefix + "top")
        #expect(holder.mapping?.uuid == "TEST-holder")
        #expect(DeviceUser.users(of: disk).contains(.holder(holder)))
        #expect(try BlockDevice.isInUse(DeviceNode.path(of: disk)))
        #expect(try BlockDevice(DeviceNode.path(of: disk)).read(offset: 0, count: .max).count == 1 << 20)
    }
}
