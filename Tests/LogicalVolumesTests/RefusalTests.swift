@testable import LogicalVolumes

import TestSupport
import Testing

/// A group that another machine may use is read and named, and neither activated nor changed.
@Suite struct RefusalTests {
    private static let status = #"status = ["RESIZEABLE", "READ", "WRITE"]"#
    private static let format = #"format = "lvm2""#

    struct Case: Sendable, CustomStringConvertible {
        let old: String
        let new: String
        let reason: String
        var system = LVMSystem(id: nil)

        var description: String { new }
    }

    static let refused: [Case] = [
        Case(old: status, new: #"status = ["EXPORTED", "RESIZEABLE", "READ", "WRITE"]"#, reason: "exported"),
        Case(old: #"status = ["ALLOCATABLE"]"#, new: #"status = ["ALLOCATABLE", "EXPORTED"]"#, reason: "exported"),
        Case(old: status, new: #"status = ["RESIZEABLE", "READ", "WRITE", "CLUSTERED"]"#, reason: "cluster"),
        Case(old: status, new: #"status = ["RESIZEABLE", "READ", "WRITE", "SHARED"]"#, reason: "cluster"),
        Case(old: status, new: #"status = ["RESIZEABLE", "READ", "WRITE", "PARTIAL"]"#, reason: "PARTIAL"),
        Case(old: status, new: #"status = ["RESIZEABLE", "READ", "WRITE", "LEASED"]"#, reason: "LEASED"),
        Case(old: #"status = ["ALLOCATABLE"]"#, new: #"status = ["ALLOCATABLE", "REMOTE"]"#, reason: "REMOTE"),
        Case(old: #"status = ["READ", "WRITE"]"#, new: #"status = ["READ", "WRITE", "FUTURE"]"#, reason: "FUTURE"),
        Case(old: format, new: format + "\nlock_type = \"sanlock\"\nlock_args = \"1.0.0:lvmlock\"", reason: "sanlock"),
        Case(old: format, new: format + "\nlock_type = \"dlm\"", reason: "dlm"),
        Case(old: format, new: format + "\nlock_type = \"idm\"", reason: "idm"),
        Case(old: format, new: format + "\nlock_args = \"2.0.0:new\"", reason: "lock_args"),
        Case(old: format, new: "format = \"lvm3\"", reason: "lvm3"),
        Case(old: "version = 1", new: "version = 2", reason: "version"),
        Case(old: format, new: format + "\nsystem_id = \"elsewhere\"", reason: "elsewhere"),
        Case(old: format, new: format + "\nsystem_id = \"elsewhere\"", reason: "here", system: LVMSystem(id: "here")),
    ]

    static let accepted: [Case] = [
        Case(old: format, new: format + "\nsystem_id = \"\"", reason: ""),
        Case(old: format, new: format + "\nlock_type = \"none\"", reason: ""),
        Case(old: format, new: format + "\nsystem_id = \"here\"", reason: "", system: LVMSystem(id: "here")),
        Case(
            old: format, new: format + "\nsystem_id = \"elsewhere\"", reason: "",
            system: LVMSystem(id: "here", otherIDs: ["elsewhere"])),
        // A group without a machine's name is every machine's.
        Case(old: format, new: format, reason: "", system: LVMSystem(id: "here")),
        // As lvm2 writes a group with a name.
        Case(
            old: status, new: #"status = ["RESIZEABLE", "READ"] flags = ["WRITE_LOCKED"] system_id = "here""#,
            reason: "",
            system: LVMSystem(id: "here")),
        // A flag that nobody knows may be ignored.
        Case(old: #"status = ["READ", "WRITE"]"#, new: #"status = ["READ", "WRITE"] tags = ["x"]"#, reason: ""),
    ]

    private func disk(_ test: Case) throws -> DiskImage {
        let text = try Fixture.text("created.vg").replacing(test.old, with: test.new)
        #expect(text.contains(test.new))
        let disk = try Fixture.disk("created-pv0.bin.xz")
        let flags = test.new.contains("flags =") ? text.removing("\n\tflags = []") : text
        try disk.put(Array(flags.utf8))
        return disk
    }

    @Test(arguments: refused) func refuses(_ test: Case) throws {
        let disk = try disk(test)
        let before = disk.content
        var metadata = try VolumeGroupMetadata.only(on: [disk], system: test.system)
        #expect(metadata.group.name == "docker")
        #expect(metadata.group.logicalVolumes.map(\.name).contains("thinpool"))
        #expect { try metadata.requireOurs() } throws: { error in
            guard let error = error as? LogicalVolumeError else { return false }
            return error.code == .refusedGroup && error.reason.contains("docker on disk0")
                && error.reason.contains(test.reason)
        }
        #expect { try metadata.completeCopies() } throws: { ($0 as? LogicalVolumeError)?.code == .refusedGroup }
        let group = metadata.group
        #expect { try metadata.commit(group, description: "") } throws: {
            ($0 as? LogicalVolumeError)?.code == .refusedGroup
        }
        #expect(disk.content == before)
    }

    @Test(arguments: accepted) func accepts(_ test: Case) throws {
        let disk = try disk(test)
        var metadata = try VolumeGroupMetadata.only(on: [disk], system: test.system)
        #expect(metadata.refusal == nil)
        let data = try metadata.group.logicalVolume("thinpool_tdata")
        try metadata.commit(try metadata.group.extending(data, by: 1), description: "")
        #expect(try VolumeGroupMetadata.only(on: [disk], system: test.system).group.freeExtentCount() == 15)
    }

    /// Groups that lvm2 would not activate, or not as their text says.
    @Test(arguments: [
        ("thinpool_tdata {", "flags = []", "flags = []", ""),
        ("thinpool {", "flags = []", "flags = [\"ACTIVATION_SKIP\"]", "-kn"),
        ("thinpool {", "flags = []", "flags = [\"NOAUTOACTIVATE\"]", ""),
        ("thinpool {", "flags = []", "flags = [\"SOMETHING_NEW\"]", ""),
        ("thinpool_tmeta {", "\"READ\", \"WRITE\"", "\"READ\"", "may only be read"),
        ("thinpool_tdata {", "\"READ\", \"WRITE\"", "\"READ\", \"WRITE\", \"LOCKED\"", "in the middle of a change"),
        ("thinpool {", "chunk_size = 1024", "chunk_size = 1024\nmessage1 {\ndelete = 3\n}", "were not sent"),
        ("pv0 {", "flags = []", "flags = [\"MISSING\"]", "--restoremissing"),
    ])
    func activatesAsLVM2Would(_ section: String, _ old: String, _ new: String, _ reason: String) throws {
        let text = try Fixture.text("created.vg")
        let start = try #require(text.firstRange(of: section)?.lowerBound)
        let changed = String(text[..<start]) + String(text[start...]).replacing(old, with: new)
        let group = try VolumeGroup(parsing: Array(changed.utf8))
        #expect(group.refusal == nil)
        let parts = [try group.logicalVolume("thinpool_tmeta"), try group.logicalVolume("thinpool_tdata")]
        let pool = try group.logicalVolume("thinpool")
        guard !reason.isEmpty else { return try group.requireActivatable(pool, parts: parts) }
        #expect { try group.requireActivatable(pool, parts: parts) } throws: { error in
            guard let error = error as? LogicalVolumeError else { return false }
            return error.code == .unsupported && error.reason.contains(reason)
        }
    }

    /// The disk of a guest may hold any text about any group.
    @Test func aForeignTextDoesNotTakeThePlaceOfTheGroup() throws {
        let host = try Fixture.disk("created-pv0.bin.xz")
        let text = try Fixture.text("created.vg")
        for number in [6, 1000] {
            let guest = DiskImage([], size: 1 << 30)
            let device = try PhysicalVolumeDevice.make(on: guest, path: "guest", number: nil)
            let own =
                "pvX {\nid = \"\(device.label.id)\"\nstatus = [\"ALLOCATABLE\"]\npe_start = 2048\npe_count = 16\n}\n"
            let isMember = number == 6
            let forged = text.replacing("seqno = 5", with: "seqno = \(number)")
                .replacing("physical_volumes {", with: "physical_volumes {\n" + (isMember ? own : ""))
            try guest.put(Array(forged.utf8))
            var metadata = try VolumeGroupMetadata.only(on: [host, guest])
            #expect { try metadata.requireOurs() } throws: { error in
                guard let error = error as? LogicalVolumeError else { return false }
                return error.code == .refusedGroup && error.reason.contains("disk1 and disk0 have different texts")
            }
            let before = (host.content, guest.content)
            #expect(throws: LogicalVolumeError.self) { try metadata.completeCopies() }
            #expect(before.0 == host.content && before.1 == guest.content)
        }
    }

    /// A disk that was away while lvm2 changed the group is no reason to refuse it.
    @Test func aDiskThatWasAwayIsNoRival() throws {
        let disks = [try Fixture.disk("extended-pv0.bin.xz"), try Fixture.disk("extended-pv1.bin.xz")]
        let group = try VolumeGroupMetadata.only(on: disks).group
        let text = String(decoding: group.text(description: "", host: "h", time: 1), as: UTF8.self)
        let start = try #require(text.firstRange(of: "pv1 {")?.lowerBound)
        let marked =
            String(text[..<start]) + String(text[start...]).replacing("flags = []", with: "flags = [\"MISSING\"]")
        try disks[0].put(Array(marked.replacing("seqno = 8", with: "seqno = 12").utf8))
        let metadata = try VolumeGroupMetadata.only(on: disks)
        #expect(metadata.group.sequenceNumber == 12)
        #expect(metadata.refusal == nil)
    }
}

extension String {
    fileprivate func removing(_ text: String) -> String { replacing(text, with: "") }
}
