import TestSupport
import Testing

@testable import DeviceMapper

@Suite struct MappingTableTests {
    @Test func readsLinesWithCommentsAndEmptyOnes() throws {
        let table = try MappingTable(
            parsing: "# a table\n\n  0 1000 linear 7:0 8\r\n1000 24 error\n   # the end\n", isReadOnly: true)
        #expect(table.description == "0 1000 linear 7:0 8\n1000 24 error")
        #expect(table.length == 1024)
        #expect(table.isReadOnly)
        #expect(try MappingTable(parsing: table.description, isReadOnly: true) == table)
    }

    @Test(arguments: ["", "\n \n", "# nothing\n"]) func refusesAnEmptyTable(text: String) {
        #expect { try MappingTable(parsing: text) } throws: { ($0 as? DeviceMapperError)?.code == .invalidTable }
    }

    @Test(arguments: [
        "0 1000", "x 1000 linear 7:0 8", "0 -1 linear 7:0 8", "0 18446744073709551616 zero",
        "18446744073709551615 1 zero", "0 8 a-target-with-a-name-of-its-own", "linear 7:0 8 secret",
    ])
    func saysWhichLineIsWrongAndDoesNotRepeatIt(line: String) {
        #expect {
            try MappingTable(parsing: "0 8 zero\n" + line)
        } throws: { error in
            guard let error = error as? DeviceMapperError else { return false }
            return error.code == .invalidTable && "\(error)".contains("line 2") && !"\(error)".contains(line)
        }
    }

    @Test func isEncodedAsTheInterfaceWantsIt() throws {
        let bytes = try MappingTable(parsing: "0 8 linear 7:0 0\n8 16 error").encoded()
        #expect(bytes.count == 48 + 48)
        #expect(bytes[0..<24] == [0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 48, 0, 0, 0])
        #expect(bytes[24..<48] == Array("linear\0\0\0\0\0\0\0\0\0\0" + "7:0 0\0\0\0").map { $0.asciiValue ?? 255 }[...])
        #expect(bytes[48..<64] == [8, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0])
        #expect(bytes[72..<77] == ArraySlice("error".utf8))
        #expect(bytes[88..<96] == [0, 0, 0, 0, 0, 0, 0, 0])
    }

    @Test(arguments: [
        Target(type: "", parameters: ""),
        Target(type: "a-target-of-name-16", parameters: ""),
        Target(type: "lin\0ear", parameters: "7:0 0"),
        Target(LinearTarget(device: .path("/dev/x\0y"), start: 0)),
    ])
    func refusesWhatTheKernelWouldReadAsSomethingElse(target: Target) {
        #expect {
            try MappingTable(target, length: 8).encoded()
        } throws: {
            ($0 as? DeviceMapperError)?.code == .invalidTable
        }
    }

    @Test func redactsEverySegment() throws {
        let table = try MappingTable(
            parsing: "0 8 crypt aes-xts-plain64 aabb 0 7:1 0\n8 8 crypt aes-xts-plain64 ccdd 0 7:1 8\n16 8 zero")
        #expect(
            table.redacted.description
                == "0 8 crypt aes-xts-plain64 0000 0 7:1 0\n8 8 crypt aes-xts-plain64 0000 0 7:1 8\n16 8 zero")
    }

    @Test func readsWhateverItIsGiven() {
        var random = SeededRandom(seed: 2)
        let parts = [
            "0", "8", "zero", "linear", " ", "\n", "\r\n", "#", "\\", "\0", "\u{2028}", "é", "18446744073709551615",
        ]
        var tables = 0
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0..<12, using: &random))
                .map { _ in parts.randomElement(using: &random) ?? "" }.joined()
            do throws(DeviceMapperError) {
                let table = try MappingTable(parsing: text)
                _ = (table.length, table.description, table.redacted)
                tables += 1
            } catch {
                #expect(error.code == .invalidTable)
            }
        }
        #expect(tables > 0)
    }
}
