@testable import LogicalVolumes

import SystemPackage
import TestSupport
import Testing

/// The settings in lvm2's configuration about this machine and about devices.
@Suite struct ConfigurationTests {
    private func configuration(_ text: String) throws -> LVMConfiguration {
        try LVMConfiguration(parsing: text, directory: "/nowhere")
    }

    @Test(arguments: [
        ("", nil), ("global { system_id_source = \"none\" } local { system_id = \"x\" }", nil),
        ("global { system_id_source = \"lvmlocal\" } local { system_id = \"host-1.a_b+c\" }", "host-1.a_b+c"),
        ("global/system_id_source=\"lvmlocal\" local/system_id=\"--a b!c\"", "abc"),
        ("global { system_id_source = \"LVMLOCAL\" } local { system_id = \"x\" }", "x"),
        ("global { system_id_source = \"lvmlocal\" }", nil),
        ("global { system_id_source = \"lvmlocal\" } local { system_id = \"localhost.x\" }", nil),
        ("global { system_id_source = \"lvmlocal\" } local { system_id = \"..\" }", nil),
        ("global { system_id_source = \"dmi\" } local { system_id = \"x\" }", nil),
        ("global { system_id_source = \"file\" }", nil),
        ("global { system_id_source = \"file\" system_id_file = \"/nowhere\" }", nil),
        ("global { system_id_source = \"machineid\" etc = \"/nowhere\" }", nil),
    ])
    func namesThisMachine(_ text: String, _ id: String?) throws {
        #expect(LVMSystem(try configuration(text)).id == id)
    }

    @Test func namesThisMachineFromFiles() throws {
        let scratch = try ScratchDirectory()
        try Shell.run(
            "printf '\\n  # a comment\\n one two # three\\n four\\n' >'\(scratch.path)/id'"
                + "; echo 0123456789abcdef0123456789abcdef >'\(scratch.path)/machine-id'")
        let file = "global { system_id_source = \"file\" system_id_file = \"\(scratch.path)/id\" }"
        #expect(LVMSystem(try configuration(file)).id == "onetwo")
        for source in ["machineid", "machine-id", "MachineID"] {
            let text = "global { system_id_source = \"\(source)\" etc = \"\(scratch.path)\" }"
            #expect(LVMSystem(try configuration(text)).id == "0123456789abcdef0123456789abcdef")
        }
        #expect(
            LVMSystem(try configuration("global { system_id_source = \"uname\" }")).id
                == (try Shell.run("uname -n")))
        let text = "global { system_id_source = \"appmachineid\" etc = \"\(scratch.path)\" }"
        // The id that systemd-id128 derives from the machine's id and from lvm2's as the application.
        #expect(LVMSystem(try configuration(text)).id == "e04dc1622fd546c992a77a2d2421761f")
    }

    @Test func extraNames() throws {
        let system = LVMSystem(
            try configuration(
                "global { system_id_source = \"lvmlocal\" } local { system_id = \"a\" extra_system_ids = [ \"b\", \"c\" ] }"
            ))
        #expect(system.refusal(ofGroup: "g", systemID: "c") == nil)
        #expect(system.refusal(ofGroup: "g", systemID: nil) == nil)
        #expect(system.refusal(ofGroup: "g", systemID: "d")?.contains("“d”") == true)
        // Without a name of its own a machine has no other names either.
        let nameless = LVMSystem(try configuration("local { extra_system_ids = [ \"b\" ] }"))
        #expect(nameless.refusal(ofGroup: "g", systemID: "b") != nil)
    }

    /// The figures of the standards.
    @Test func hashes() {
        func text(_ bytes: [UInt8]) -> String {
            bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        }
        #expect(
            text(SHA256.hash(of: Array("abc".utf8)))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(
            text(SHA256.hash(of: Array("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq".utf8)))
                == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1")
        #expect(
            text(SHA256.keyedHash(of: Array("what do ya want for nothing?".utf8), key: Array("Jefe".utf8)))
                == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    @Test(
        arguments: [
            ("", ["/dev/sda"], true), ("[]", ["/dev/sda"], true),
            (#"["a|.*|"]"#, ["/dev/sda"], true), (#"["r|.*|"]"#, ["/dev/sda"], false),
            (#""r|/dev/sda|""#, ["/dev/sda"], false), (#"["r|/dev/sdb|"]"#, ["/dev/sda"], true),
            // The first that fits counts.
            (#"["a|^/dev/sda$|", "r|.*|"]"#, ["/dev/sda"], true),
            (#"["a|^/dev/sda$|", "r|.*|"]"#, ["/dev/sda1"], false),
            (#"["r|.*|", "a|sda|"]"#, ["/dev/sda"], false),
            // One accepted path is enough.
            (#"["a|by-id/wwn|", "r|.*|"]"#, ["/dev/sda", "/dev/disk/by-id/wwn-1"], true),
            (#"["a|by-id/wwn|", "r|.*|"]"#, ["/dev/sdb"], false),
            // Other separators, and what stands between them.
            (#"["r/sd[ab]/"]"#, ["/dev/sdb"], false), (#"["r/sd[ab]/"]"#, ["/dev/sdc"], true),
            (#"["r(sd(a|b)$)"]"#, ["/dev/sdb"], false), (#"["r{sd.}"]"#, ["/dev/sdb"], false),
            (#"["r[sdb]"]"#, ["/dev/sdb"], false),
            (#"["r|sd[^a-c]|"]"#, ["/dev/sdd"], false), (#"["r|sd[^a-c]|"]"#, ["/dev/sdb"], true),
            (#"["r|a\\.b|"]"#, ["/dev/a.b"], false), (#"["r|a\\.b|"]"#, ["/dev/axb"], true),
            (#"["r|a[-\\]^]b|"]"#, ["/dev/a]b"], false), (#"["r|a[-\\]^]b|"]"#, ["/dev/a-b"], false),
            (#"["r|a[-\\]^]b|"]"#, ["/dev/acb"], true), (#"["r|x{2}|"]"#, ["/dev/xx"], true),
            (#"["r|x{2}|"]"#, ["/dev/x{2}"], false),
            (#"["r|lo+p?|"]"#, ["/dev/loop0"], false), (#"["r|[^]|"]"#, [], nil), (#"["r|a(|"]"#, [], nil),
            (#"["x|a|"]"#, [], nil),
            (#"["r|a"]"#, [], nil), (#"["r"]"#, [], nil), (#"[""]"#, [], nil),
        ] as [(String, [String], Bool?)])
    func filters(_ value: String, _ paths: [String], _ accepted: Bool?) throws {
        let configuration = try configuration(value.isEmpty ? "" : "devices { filter = \(value) }")
        guard let accepted else {
            #expect { try DeviceFilter(configuration, "filter") } throws: {
                ($0 as? LogicalVolumeError)?.code == .failed
            }
            return
        }
        #expect(try DeviceFilter(configuration, "filter")?.accepts(paths) ?? true == accepted)
    }

    @Test(arguments: [
        ("", true), ("volume_list = [ \"docker\" ]", true), ("volume_list = \"docker/thinpool\"", true),
        ("volume_list = []", false), ("volume_list = [ \"dock\", \"docker/other\", \"@y\" ]", false),
        ("volume_list = [ \"@x\" ]", true), ("volume_list = [ \"@*\" ]", false),
        ("volume_list = [ \"@*\" ] } tags { x { }", true),
        ("volume_list = [ \"@*\" ] } tags { x { host_list = [ \"nobody\" ] }", false),
    ])
    func activatesWhatIsListed(_ setting: String, _ isListed: Bool) throws {
        let text = try Fixture.text("created.vg").replacing("flags = []", with: "flags = [] tags = [\"x\"]")
        let group = try VolumeGroup(parsing: Array(text.utf8))
        let list = ActivationList(try configuration("activation { \(setting) }"))
        let pool = try group.logicalVolume("thinpool")
        guard !isListed else {
            try list?.require(pool, of: group)
            return
        }
        #expect { try list?.require(pool, of: group) } throws: {
            ($0 as? LogicalVolumeError)?.code == .excludedDevice
        }
    }

    @Test func readsTheGroupOfADevice() {
        let id = LVMIdentifier()
        #expect(LVMIdentifier(groupOfDeviceUUID: "LVM-\(id.compact)\(LVMIdentifier().compact)-tpool") == id)
        for text in ["LVM-\(id.compact)", "CRYPT-\(id.compact)\(id.compact)", ""] {
            #expect(LVMIdentifier(groupOfDeviceUUID: text) == nil)
        }
    }

    @Test func aFileThatCannotBeUnderstoodIsNoEmptyOne() throws {
        let scratch = try ScratchDirectory()
        #expect(try LVMConfiguration(of: scratch.path).texts("devices", "filter") == nil)
        try Shell.run("echo 'devices { filter = [ \"r|.*|\" ]' >'\(scratch.path)/lvm.conf'")
        #expect { try LVMConfiguration(of: scratch.path) } throws: { error in
            guard let error = error as? LogicalVolumeError else { return false }
            return error.reason.contains("/lvm.conf must be corrected") && error.reason.contains("line 2")
        }
        try Shell.run("echo 'devices { filter = [ \"r|.*|\" ] }' >'\(scratch.path)/lvm.conf'")
        try Shell.run("echo 'devices/filter = \"a|.*|\"' >'\(scratch.path)/lvmlocal.conf'")
        #expect(try LVMConfiguration(of: scratch.path).texts("devices", "filter") == ["a|.*|"])
    }

    /// An array that is not assembled shows the label of the group on each of its parts.
    @Test func partsOfAnArray() throws {
        let size: UInt64 = 64 << 20
        let magic: [UInt8] = [0xfc, 0x4e, 0x2b, 0xa9]
        for (offset, version) in [(0, 1), (4096, 1), (size - 8192, 1), (size - 65536, 0)] as [(UInt64, UInt8)] {
            let disk = DiskImage([], size: size)
            #expect(try !RAIDSuperblock.isPresent(on: disk))
            try disk.write(magic + [version, 0, 0, 0], offset: offset)
            #expect(try RAIDSuperblock.isPresent(on: disk), "\(offset)")
        }
    }
}
