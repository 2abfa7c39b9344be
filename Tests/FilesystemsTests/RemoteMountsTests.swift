import DeviceMapper
import SystemPackage
import Testing

@testable import Filesystems

/// Which paths lead to another machine.
@Suite struct RemoteMountsTests {
    private func remote(_ mounts: String, ownRoot: DeviceNumber? = DeviceNumber(major: 8, minor: 1)) -> RemoteMounts {
        RemoteMounts(among: MountTable(parsing: Array(mounts.utf8)).entries, ownRoot: ownRoot)
    }

    @Test func coversWhatIsMountedFromAnotherMachine() {
        let mounts = remote(
            """
            1 0 8:1 / / rw - ext4 /dev/sda1 rw
            2 1 0:50 / /data rw - nfs4 server:/ rw
            3 2 8:2 / /data/local rw - ext4 /dev/sda2 rw
            """)
        #expect(!mounts.isEmpty)
        let paths: [FilePath] = ["/", "/database", "/data", "/data/file", "/data/local/file", "pipe:[5]"]
        #expect(paths.map(mounts.cover) == [false, false, true, true, false, false])
    }

    @Test func isEmptyWhereEverythingIsLocal() {
        #expect(remote("1 0 8:1 / / rw - ext4 /dev/sda1 rw").isEmpty)
    }

    /// automount's own file system stays below what it mounts.
    @Test func takesTheUpperOfTwoMountsAtOnePlace() {
        let upper = remote(
            """
            1 0 8:1 / / rw - ext4 /dev/sda1 rw
            2 1 0:40 / /data rw - autofs systemd-1 rw
            3 2 0:50 / /data rw - nfs4 server:/ rw
            """)
        #expect(upper.cover("/data/file"))
    }

    /// A path in a mount that was detached seems to lie in the root.
    @Test func doesNotCoverTheRootFromWhichTheProgramComes() {
        let root = "1 0 0:20 / / rw - 9p root rw"
        #expect(remote(root, ownRoot: DeviceNumber(major: 0, minor: 20)).isEmpty)
        #expect(remote(root, ownRoot: DeviceNumber(major: 0, minor: 21)).cover("/rootfs"))
        #expect(remote(root, ownRoot: nil).cover("/rootfs"))
    }
}
