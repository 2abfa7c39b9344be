import SystemPackage
import Testing

@testable import Filesystems

/// The mount points that `/etc/fstab` names.
@Suite struct FilesystemListTests {
    private let list = FilesystemList(
        parsing: Array(
            """
            # /dev/sda9 /var/lib/commented ext4 defaults 0 0
            UUID=1 / ext4 errors=remount-ro 0 1
            /dev/sda2\tnone\tswap\tsw\t0\t0
            /dev/sdb1   /var/lib/dmlayer/  xfs nofail 0 2
            /dev/sdc1 /mnt/with\\040blank ext4 noauto 0 2
            broken
            """.utf8))

    private func table(_ mountPoints: [String]) -> MountTable {
        MountTable(
            parsing: Array(
                mountPoints.map { "1 1 8:1 / \($0) rw - ext4 /dev/sda1 rw" }.joined(separator: "\n").utf8))
    }

    @Test func namesMountPoints() {
        #expect(list.mountPoints == ["/", "/var/lib/dmlayer", "/mnt/with blank"])
    }

    @Test func findsAMountPointWhereNothingIsMounted() {
        let table = table(["/", "/mnt"])
        #expect(list.missingMount(above: "/var/lib/dmlayer", in: table) == "/var/lib/dmlayer")
        #expect(list.missingMount(above: "/var/lib/./dmlayer/a", in: table) == "/var/lib/dmlayer")
        #expect(list.missingMount(above: "/mnt/with blank/root", in: table) == "/mnt/with blank")
        #expect(list.missingMount(above: "/var/lib/dmlayer-2", in: table) == nil)
        #expect(list.missingMount(above: "/var/lib/commented", in: table) == nil)
        #expect(list.missingMount(above: "/mnt", in: table) == nil)
    }

    @Test func findsNothingWhereEverythingIsMounted() {
        let table = table(["/", "/var/lib/dmlayer", "/mnt/with\\040blank"])
        for path: FilePath in ["/var/lib/dmlayer", "/mnt/with blank/root", "/", "/srv"] {
            #expect(list.missingMount(above: path, in: table) == nil)
        }
    }
}
