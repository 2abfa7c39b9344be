#if Daemon
import Glibc
import LayerStore
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

@testable import ContainerdSnapshotter

/// The file system that shows the pool's size and use.
@Suite(.serialized) struct SpaceViewTests {
    private let scratch: ScratchDirectory
    private let directory: FilePath

    init() throws {
        scratch = try ScratchDirectory()
        directory = scratch.appending("run/space")
    }

    /// The answer of statfs.
    private struct Answer {
        let size: UInt64
        let used: Double
        let available: UInt64
        let free: UInt64
        let freeFiles: Double
        let device: UInt64
    }

    private func ask(_ directory: FilePath) throws -> Answer {
        var (filesystem, status) = (statvfs(), stat())
        let results = unsafe (statvfs(directory.string, &filesystem), stat(directory.string, &status))
        try #require(results == (0, 0))
        let block = UInt64(filesystem.f_frsize)
        return Answer(
            size: UInt64(filesystem.f_blocks) * block,
            used: 1 - Double(filesystem.f_bfree) / Double(filesystem.f_blocks),
            available: UInt64(filesystem.f_bavail) * block, free: UInt64(filesystem.f_bfree) * block,
            freeFiles: Double(filesystem.f_ffree) / Double(filesystem.f_files), device: UInt64(status.st_dev))
    }

    private func unmount() throws { try Shell.run("umount '\(directory)'") }

    private func expect(_ size: UInt64, _ share: Double, within tolerance: Double = 0.001) throws {
        let answer = try ask(directory)
        #expect(abs(Double(answer.size) / Double(size) - 1) < 0.001, "\(answer) for \(size)")
        #expect(abs(answer.used - share) < tolerance, "\(answer) for \(share)")
        #expect(answer.available == answer.free, "\(answer)")
        // The kubelet clears a node whose image file system has fewer than 5 % of its files left.
        #expect(answer.freeFiles > 0.5, "\(answer)")
    }

    @Test(arguments: [64 << 20, 1 << 30, 100 << 30, 16 << 40] as [UInt64])
    func showsEachShare(_ size: UInt64) throws {
        let view = SpaceView(at: directory)
        for share in [0.02, 0.3, 0.85, 0.123, 1, 0.9999, 0.5] {
            try view.show(size: size, share: share)
            try expect(size, share)
        }
        // The file system takes a little space itself.
        try view.show(size: size, share: 0)
        try expect(size, 0, within: 0.01)
        let memory = try Shell.run("du --block-size=1 '\(directory).img' | cut -f 1")
        #expect(try #require(Int(memory.split(separator: "\n")[0])) < 4 << 20)
        try unmount()
    }

    /// The kubelet knows the file system by the number of its device.
    @Test func growsAndIsTakenOver() throws {
        var view = SpaceView(at: directory)
        try view.show(size: 1 << 30, share: 0.5)
        let device = try ask(directory).device
        for size in [3 << 30, 3 << 30 + 64 << 10] as [UInt64] {
            try view.show(size: size, share: 0.25)
            try expect(size, 0.25)
            #expect(try ask(directory).device == device)
        }
        let other = SpaceView(at: directory)
        let error = #expect(throws: LayerStoreError.self) { try other.show(size: 1 << 30, share: 0.5) }
        #expect(error?.code == .busy && error?.description.contains("another service") == true)
        // The next service.
        view = SpaceView(at: directory)
        try view.show(size: 40 << 30, share: 0.25)
        try expect(40 << 30, 0.25)
        #expect(try ask(directory).device == device)
        // Another pool.
        try view.show(size: 2 << 30, share: 0.1)
        try expect(2 << 30, 0.1)
        try expectOneMount()
        try unmount()
        // An image without its mount is made anew.
        try view.show(size: 1 << 30, share: 0.2)
        try expect(1 << 30, 0.2)
        try unmount()
        #expect(try Shell.run("losetup --associated '\(directory).img'") == "")
    }

    private func expectOneMount() throws {
        #expect(try Shell.run("grep -c ' \(directory) ' /proc/mounts") == "1")
    }

    /// A service that was killed may have enlarged the image, and neither the device nor the file system.
    @Test func completesAGrowth() throws {
        let view = SpaceView(at: directory)
        try view.show(size: 1 << 30, share: 0.5)
        try Shell.run("truncate --size=2G '\(directory).img'")
        try view.show(size: 2 << 30, share: 0.5)
        try expect(2 << 30, 0.5)
        try unmount()
    }

    /// /var/run is such a link.
    @Test func findsItsMountBehindALink() throws {
        try Shell.run("mkdir '\(scratch.path)/run' && ln -s run '\(scratch.path)/link'")
        let path = scratch.appending("link/space")
        var view = SpaceView(at: path)
        for share in [0.25, 0.5] {
            try view.show(size: 1 << 30, share: share)
            try expect(1 << 30, share)
            try expectOneMount()
            view = SpaceView(at: path)
        }
        try unmount()
    }

    /// The figures of the file system around it would be taken for the pool's.
    @Test func leavesNoDirectoryWithoutTheProgram() throws {
        try Shell.run("mount --bind /dev/null \"$(readlink -f /usr/sbin/mkfs.ext4)\"")
        defer { _ = try? Shell.run("umount \"$(readlink -f /usr/sbin/mkfs.ext4)\"") }
        let view = SpaceView(at: directory)
        let error = #expect(throws: LayerStoreError.self) { try view.show(size: 1 << 30, share: 0.5) }
        #expect(error?.description.contains("install the package e2fsprogs") == true)
        #expect(try Shell.run("ls '\(scratch.path)'") == "")
    }

    @Test func leavesWhatOthersHaveMounted() throws {
        try Shell.run("mkdir -p '\(directory)' && mount -t tmpfs -o size=8m other '\(directory)'")
        let view = SpaceView(at: directory)
        let error = #expect(throws: LayerStoreError.self) { try view.show(size: 1 << 30, share: 0.5) }
        #expect(error?.description.contains("other is mounted at \(directory) already") == true)
        #expect(try ask(directory).size == 8 << 20)
        try unmount()
    }

    /// The share of the metadata counts where it is the larger one.
    @Test func followsThePool() throws {
        let fixture = try StoreFixture(["dm.loopmetadatasize=4m"])
        let store = fixture.store
        let log = ServiceLog(isJSON: false, isVerbose: false).logger
        let follower = SpaceFollower(at: directory, of: store, log: log)
        let view = SpaceView(at: directory)
        func expectPool() throws {
            #expect(follower.follow(view, last: nil) == nil)
            let report = try store.poolReport()
            let (data, metadata) = (try #require(report.data.usage), try #require(report.metadata.usage))
            try expect(data.totalBytes, max(data.usedShare, metadata.usedShare))
        }
        try expectPool()
        let commits = store.orderedCommits
        try expectPool()
        #expect(store.orderedCommits == commits)
        let layer = try LayerID("layer")
        _ = try store.create(layer)
        let point = try store.mount(layer)
        try Shell.run("head -c 200M /dev/urandom > '\(point)/file' && sync -f '\(point)'")
        let full = try #require(store.poolReport().data.usage)
        #expect(full.usedShare > 0.2)
        try expectPool()
        try store.unmount(layer)
        try store.remove(layer)
        try expectPool()
        #expect(try ask(directory).used < full.usedShare - 0.1)
        try unmount()
        try fixture.finish()
    }
}
#endif
