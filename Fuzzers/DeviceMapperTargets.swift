@testable import DeviceMapper

extension FuzzTarget {
    /// The variable part of the kernel's answers.
    static let answers = FuzzTarget(name: "answers") { input in
        var reader = InputReader(input)
        let (kind, minor) = (reader.byte(), UInt32(reader.byte()))
        let payload = AnswerPayload(bytes: reader.remaining())
        switch kind % 5 {
        case 0:
            let entries = accepting { () throws(DeviceMapperError) in
                try payload.devices(version: InterfaceVersion(major: 4, minor: minor, patch: 0))
            }
            // No reference from one record to another makes more of the answer than it has.
            let sum = (entries ?? []).reduce(0) { $0 + $1.name.bytes.count + ($1.uuid?.bytes.count ?? 0) }
            demand(sum <= payload.bytes.count, "\(payload.bytes.count) bytes are names of \(sum) bytes")
        case 1:
            let versions = accepting { () throws(DeviceMapperError) in try payload.targetVersions() } ?? []
            demand(versions.count <= payload.bytes.count / 16, "\(versions.count) targets")
        case 2:
            let devices = accepting { () throws(DeviceMapperError) in try payload.dependencies() } ?? []
            demand(devices.count * 8 <= payload.bytes.count, "\(devices.count) devices")
        case 3:
            let lines = accepting { () throws(DeviceMapperError) in try payload.targets(count: minor) } ?? []
            for line in lines { _ = TableEntry(line).description }
            demand(lines.count <= payload.bytes.count / 40 || lines.count == minor, "\(lines.count) targets")
        default:
            _ = accepting { () throws(DeviceMapperError) in try payload.text() }
        }
        _ = KernelLog.reason(in: payload.bytes[...], about: DeviceNumber(major: 254, minor: minor))
    }

    /// Mapping tables as people write them.
    static let tables = FuzzTarget(name: "tables") { input in
        let text = String(decoding: input, as: UTF8.self)
        guard let table = accepting({ () throws(DeviceMapperError) in try MappingTable(parsing: text) }) else { return }
        let printed = table.description
        let again = accepting { () throws(DeviceMapperError) in try MappingTable(parsing: printed) }
        demand(again == table, "“\(printed)” is read as another table than it was printed from")
        _ = table.length
        let redacted = table.redacted
        demand(redacted.entries.count == table.entries.count, "a table loses segments with its keys")
        for crypt in redacted.entries.compactMap({ $0.target.as(CryptTarget.self) }) {
            demand(crypt.key.allSatisfy { $0 == "0" } || crypt.key == "-" || crypt.key.first == ":", "a key is left")
        }
        guard let bytes = accepting({ () throws(DeviceMapperError) in try table.encoded() }) else { return }
        demand(bytes.count % 8 == 0, "a record is not aligned")
        demand(bytes.count < printed.utf8.count * 2 + table.entries.count * 64, "a table becomes \(bytes.count) bytes")
    }

    /// Names, uuids and numbers of devices.
    static let identifiers = FuzzTarget(name: "identifiers") { input in
        let text = String(decoding: input, as: UTF8.self)
        if let name = accepting({ () throws(DeviceMapperError) in try DeviceName(text) }) {
            demand(name.description == text, "the name “\(text)” is printed as “\(name)”")
            demand(!text.contains("/"), "a name has a slash")
        }
        if let name = accepting({ () throws(DeviceMapperError) in try DeviceName(existing: text) }) {
            demand(name.bytes == Array(text.utf8), "the name “\(text)” is changed")
            demand(name.description.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f }, "a name prints control characters")
        }
        _ = accepting { () throws(DeviceMapperError) in try DeviceUUID(text) }
        if let number = DeviceNumber(text) {
            demand(DeviceNumber(number.description) == number, "\(number) is read as another number")
            demand(DeviceNumber(encoded: number.encoded) == number, "\(number) is encoded as another number")
        }
        layerIdentifiers(text)
    }
}
