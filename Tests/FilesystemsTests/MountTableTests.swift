import DeviceMapper
import SystemPackage
import TestSupport
import Testing

@testable import Filesystems

@Suite struct MountTableTests {
    private func entries(_ text: String) -> [MountTable.Entry] {
        MountTable(parsing: Array(text.utf8)).entries
    }

    @Test func readsEscapesAndOptionalFields() throws {
        let line = #"36 35 253:7 /a\040b /mnt/c\134d\011e rw,noatime shared:1 master:2 - ext4 /dev/x\043y rw"#
        let entry = try #require(entries(line).first)
        #expect(entry.device.description == "253:7")
        #expect(entry.root == "/a b")
        #expect(entry.mountPoint == "/mnt/c\\d\te")
        #expect(entry.options == "rw,noatime")
        #expect(entry.type == "ext4")
        #expect(entry.source == "/dev/x#y")
        #expect(entries("36 35 0:7 / /mnt rw - tmpfs  rw").first?.source == "")
        #expect(entries(#"36 35 0:7 / /m\999\+12\77 rw - tmpfs x rw"#).first?.mountPoint.string == #"/m\999\+12\77"#)
    }

    @Test(
        arguments: [
            ("rw,context=system_u:object_r:a_t:s0,discard", "system_u:object_r:a_t:s0"),
            (#"rw,context="system_u:object_r:a_t:s0:c1,c2",discard"#, "system_u:object_r:a_t:s0:c1,c2"),
            ("rw,seclabel", nil), ("rw,fscontext=a:b:c:s0", nil),
        ] as [(String, String?)]) func readsTheLabel(options: String, label: String?)
    {
        #expect(entries("36 35 253:7 / /mnt rw - ext4 /dev/x \(options)").first?.label == label)
    }

    @Test func keepsPathsThatAreNotUTF8() throws {
        let table = MountTable(parsing: Array("1 2 0:7 / /m".utf8) + [0xff] + Array(" rw - tmpfs x rw\n".utf8))
        let path = try #require(table.entries.first).mountPoint
        #expect(unsafe path.withPlatformString { unsafe $0[2] } == -1)
    }

    @Test(arguments: ["", "\n\n", "-", "1 2 0:7 / /m - tmpfs x", "1 2 0:7 / /m rw - tmpfs", "1 2 zero / /m rw - a b c"])
    func passesOverOtherLines(line: String) {
        #expect(entries(line).isEmpty)
        #expect(entries(line + "\n1 2 0:7 / /m rw - tmpfs x rw\n").count == 1)
    }

    @Test func randomBytesNeverTrap() {
        let alphabet = Array("0 1:-/\\7\n".utf8) + [0, 0xff]
        var state: UInt64 = 1
        for _ in 0..<5000 {
            let line = (0..<40).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1
                return alphabet[Int(state >> 33) % alphabet.count]
            }
            #expect(MountTable(parsing: line).entries.count <= line.count / 8)
        }
    }

    @Test func agreesWithFindmnt() throws {
        let expected = try Shell.run("findmnt --noheadings --raw --output MAJ:MIN,FSTYPE")
        let found = try MountTable.current().entries.map { "\($0.device) \($0.type)" }.sorted()
        #expect(found == expected.split(separator: "\n").map(String.init).sorted())
    }

    @Test(
        arguments: [
            (["defaults"], 0, ""), (["ro,nosuid", "discard"], 3, "discard"), (["ro", "rw"], 0, ""),
            (["noatime,,nouuid"], 1024, "nouuid"),
            (["context=\"u:r:t:s0:c1,c2\",ro"], 1, "context=\"u:r:t:s0:c1,c2\""),
        ] as [([String], UInt, String)])
    func splitsMountOptions(options: [String], flags: UInt, data: String) {
        let result = MountOptions.split(options)
        #expect(result.flags == flags)
        #expect(result.data.joined(separator: ",") == data)
    }
}
