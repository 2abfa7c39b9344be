import Testing

@testable import DeviceMapper

@Suite struct DeviceNameTests {
    @Test(arguments: [
        "a", "docker-8:1-42-pool", "vg--x-lv", "#+-.:=@_", String(repeating: "n", count: 127), "controls",
    ])
    func takesWhatUdevLeavesUnescaped(text: String) throws {
        #expect(try DeviceName(text).description == text)
    }

    @Test(arguments: [
        "", ".", "..", "control", "a/b", "a b", "a\\x20b", "ä", "a\n", "a\0", String(repeating: "n", count: 128),
    ])
    func refusesEverythingElse(text: String) {
        #expect { try DeviceName(text) } throws: { ($0 as? DeviceMapperError)?.code == .invalidName }
    }

    @Test func takesEveryNameThatADeviceCanHave() throws {
        #expect(try DeviceName(existing: "a\\x20b").description == "a\\x20b")
        #expect(try DeviceName(existing: "a b").bytes == Array("a b".utf8))
        #expect(throws: DeviceMapperError.self) { try DeviceName(existing: "") }
        #expect(throws: DeviceMapperError.self) { try DeviceName(existing: "a\0b") }
        #expect(throws: DeviceMapperError.self) { try DeviceName(existing: String(repeating: "ä", count: 64)) }
    }

    @Test func showsWhatATerminalWouldObey() {
        #expect(DeviceName(kernelBytes: Array("ä b".utf8)).description == "ä b")
        #expect(DeviceName(kernelBytes: [0x61, 0xff, 0x0a]).description == "a\\xff\\x0a")
        #expect(DeviceName(kernelBytes: Array("\u{1b}[2J".utf8)).description == "\\x1b[2J")
        #expect(DeviceUUID(kernelBytes: Array("a\n".utf8)).description == "a\\x0a")
    }

    @Test func limitsAUUIDTo128Bytes() throws {
        let longest = String(repeating: "u", count: 128)
        #expect(try DeviceUUID(longest).description == longest)
        #expect(throws: DeviceMapperError.self) { try DeviceUUID(longest + "u") }
        #expect(throws: DeviceMapperError.self) { try DeviceUUID("") }
        #expect(throws: DeviceMapperError.self) { try DeviceUUID("a\0") }
    }

    @Test func knowsTheCreatorByThePrefix() throws {
        let uuid = try DeviceUUID("LVM-abc")
        #expect(uuid.hasPrefix("LVM-"))
        #expect(!uuid.hasPrefix("CRYPT-"))
        #expect(!uuid.hasPrefix("LVM-abcd"))
    }
}
