import TestSupport
import Testing

@testable import DeviceMapper

@Suite struct AnswerPayloadTests {
    @Test func readsADeviceOfEachVersionOfTheInterface() throws {
        // 254:3 is called “thin”, had 7 events and has the uuid “U-1”.
        let record: [UInt8] =
            [3, 0xfe, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] + Array("thin\0".utf8) + [0, 0, 0, 0, 0, 0, 0]
            + [7, 0, 0, 0, 1, 0, 0, 0] + Array("U-1\0".utf8)
        func device(minorVersion: UInt32) throws -> DeviceListEntry {
            let version = InterfaceVersion(major: 4, minor: minorVersion, patch: 0)
            return try #require(try AnswerPayload(bytes: record).devices(version: version).first)
        }
        for version: UInt32 in [37, 38, 45] {
            #expect(try device(minorVersion: version).name.description == "thin")
            #expect(try device(minorVersion: version).number.description == "254:3")
        }
        #expect(try device(minorVersion: 37).eventNumber == nil)
        #expect(try device(minorVersion: 38).eventNumber == 7)
        #expect(try device(minorVersion: 38).uuid == nil)
        #expect(try device(minorVersion: 45).uuid?.description == "U-1")
    }

    @Test func countsEachOffsetFromItsOwnOrigin() throws {
        let list = deviceList(["one", "another", "the third"])
        #expect(
            try AnswerPayload(bytes: list).devices(version: newest).map(\.name.description)
                == ["one", "another", "the third"])
        let status = targetLines(["7:0 0", "", "1 2 3"])
        #expect(try AnswerPayload(bytes: status).targets(count: 3).map(\.text) == ["7:0 0", "", "1 2 3"])
        #expect(try AnswerPayload(bytes: status).targets(count: 3).map(\.start.count) == [0, 8, 16])
    }

    @Test func readsNothingFromAnEmptyAnswer() throws {
        let empty = AnswerPayload(bytes: [])
        #expect(try empty.devices(version: newest).isEmpty)
        #expect(try empty.targetVersions().isEmpty)
        #expect(try empty.dependencies().isEmpty)
        #expect(try empty.targets(count: 0).isEmpty)
    }

    @Test func refusesWhatPointsOutside() {
        func expectMalformed(_ body: () throws -> Void) {
            #expect(throws: DeviceMapperError.self, performing: body)
        }
        expectMalformed { _ = try AnswerPayload(bytes: [1]).devices(version: newest) }
        expectMalformed { _ = try AnswerPayload(bytes: []).targets(count: 1) }
        expectMalformed { _ = try AnswerPayload(bytes: []).text() }
        expectMalformed { _ = try AnswerPayload(bytes: Array("no end".utf8)).text() }
        expectMalformed { _ = try AnswerPayload(bytes: [255, 255, 255, 255, 0, 0, 0, 0]).dependencies() }
        // A next record before the present one would be read for ever.
        var status = targetLines(["a", "b"])
        status[20] = 0
        expectMalformed { _ = try AnswerPayload(bytes: status).targets(count: 2) }
    }

    @Test func readsWhateverItIsGiven() {
        var random = SeededRandom(seed: 3)
        let valid = [
            deviceList(["one", "another", "the third"]), targetLines(["7:0 0", "", "1 2 3"]),
            [2, 0, 0, 0, 0, 0, 0, 0] + [UInt8](repeating: 7, count: 16),
        ]
        var malformed = 0
        for round in 0..<20_000 {
            var bytes = random.bytes(Int.random(in: 0..<120, using: &random))
            if round % 2 == 0, let changed = valid.randomElement(using: &random) {
                bytes = changed
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                bytes.removeLast(Int.random(in: 0..<8, using: &random))
            }
            let payload = AnswerPayload(bytes: bytes)
            let count = UInt32.random(in: 0...UInt32.max, using: &random)
            let readers: [() throws -> Void] = [
                { _ = try payload.devices(version: newest) }, { _ = try payload.targetVersions() },
                { _ = try payload.dependencies() }, { _ = try payload.targets(count: count) },
                { _ = try payload.text() },
            ]
            for read in readers {
                do {
                    try read()
                } catch {
                    #expect((error as? DeviceMapperError)?.code == .malformedAnswer)
                    malformed += 1
                }
            }
        }
        #expect(malformed > 0)
    }

    // MARK: Answers as the kernel lays them out

    private let newest = InterfaceVersion(major: 4, minor: 48, patch: 0)

    private func littleEndian(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
    }

    private func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: (8 - bytes.count % 8) % 8)
    }

    private func deviceList(_ names: [String]) -> [UInt8] {
        var list: [UInt8] = []
        for (index, name) in names.enumerated() {
            let number = littleEndian(UInt32(index) | 0xfe00) + littleEndian(0)
            let text = Array(name.utf8) + [0]
            let length = padded(number + littleEndian(0) + text).count + 8
            let next = index + 1 == names.count ? 0 : UInt32(length)
            let hasNoUUID: UInt32 = 2
            list += padded(number + littleEndian(next) + text) + littleEndian(0) + littleEndian(hasNoUUID)
        }
        return list
    }

    private func targetLines(_ texts: [String]) -> [UInt8] {
        var lines: [UInt8] = []
        for (index, text) in texts.enumerated() {
            let body = padded(Array(text.utf8) + [0])
            let next = UInt32(lines.count + 40 + body.count)
            lines += littleEndian(UInt32(8 * index)) + littleEndian(0) + littleEndian(8) + littleEndian(0)
            lines += littleEndian(0) + littleEndian(next)
            lines += Array("linear".utf8) + [UInt8](repeating: 0, count: 10) + body
        }
        return lines
    }
}
