import Glibc
import SystemPackage
import Testing

@testable import Filesystems

@Suite struct MountOptionsTests {
    @Test(arguments: [
        ("ro,nodev", []), ("discard,ro,nouuid", ["discard", "nouuid"]), ("", []), (",,", []),
        (#"context="system_u:object_r:t:s0:c1,c2",discard"#, [#"context="system_u:object_r:t:s0:c1,c2""#, "discard"]),
        (#"discard,context="a,b"#, ["discard", #"context="a,b"#]),
    ])
    func keepsCommasInQuotationMarks(options: String, data: [Substring]) {
        #expect(MountOptions.split([options]).data == data)
    }

    @Test func laterFlagsReplaceEarlierOnes() {
        #expect(MountOptions.split(["ro,noatime", "rw"]).flags == UInt(MS_NOATIME))
        #expect(MountOptions.split(["rw", "ro,nosuid"]).flags == UInt(MS_RDONLY | MS_NOSUID))
    }

    @Test(arguments: [
        ("discard", "discard", nil), ("uid=1", "uid", "1"), ("a=b=c", "a", "b=c"), ("a=", "a", ""), ("=", "", ""),
        (#"context="u:r:t:s0:c1,c2""#, "context", "u:r:t:s0:c1,c2"), (#"a=""#, "a", "\""), (#"a="""#, "a", ""),
    ])
    func settingsHaveTheirValueWithoutQuotationMarks(option: Substring, name: String, value: String?) {
        let setting = MountOptions.setting(option)
        #expect(setting.name == name)
        #expect(setting.value == value)
    }

    @Test(arguments: [
        (EUCLEAN, "ext4", "e2fsck repairs it"), (EBADMSG, "xfs", "xfs_repair repairs it"), (EIO, "xfs", "dmesg"),
        (ENODEV, "xfs", "modprobe xfs"),
    ])
    func aFailedMountSaysWhatToDo(number: CInt, type: String, advice: String) {
        let error = Mount.failure("mount", "/dev/x", Errno(rawValue: number), type: type)
        #expect("\(error)".contains(advice), "\(error)")
    }
}
