internal import SystemCalls

/// The variable part of an answer: records that point at each other with byte offsets.
///
/// The interface has three origins for such an offset: in the lists of devices and of targets it counts from the record
/// it stands in, in a table's status from the first record, in a table that is loaded from the record again. Nothing
/// here trusts an offset; what points outside, or into the same record, throws ``DeviceMapperError/Code/malformedAnswer``.
struct AnswerPayload {
    let bytes: [UInt8]

    private func number<Number: FixedWidthInteger>(
        _ type: Number.Type, at offset: Int
    ) throws(DeviceMapperError) -> Number {
        let width = Number.bitWidth / 8
        guard offset >= 0, offset <= bytes.count, bytes.count - offset >= width else { throw Self.malformed(offset) }
        // The interface's numbers are in the byte order of the machine.
        return unsafe bytes.withUnsafeBytes { unsafe $0.loadUnaligned(fromByteOffset: offset, as: Number.self) }
    }

    private func text(at offset: Int) throws(DeviceMapperError) -> [UInt8] {
        guard offset >= 0, offset < bytes.count else { throw Self.malformed(offset) }
        // Looking at each byte one by one would be the longest part of a list of thousands of devices.
        let length = unsafe bytes.withUnsafeBytes { bytes in
            unsafe bytes.baseAddress.map {
                unsafe strnlen(UnsafeRawPointer($0 + offset).assumingMemoryBound(to: CChar.self), bytes.count - offset)
            }
        }
        guard let length, length < bytes.count - offset else { throw Self.malformed(offset) }
        return Array(bytes[offset..<offset + length])
    }

    private static func malformed(_ offset: Int) -> DeviceMapperError {
        DeviceMapperError(.malformedAnswer, detail: "the kernel's answer does not hold together at byte \(offset)")
    }

    private static func alignedUp(_ offset: Int) -> Int { (offset + 7) & ~7 }

    /// Reads `struct dm_name_list` records.
    ///
    /// - Parameter version: The version of the kernel's interface: event numbers follow the name since 4.38, uuids
    ///   since 4.45 when they are asked for.
    func devices(version: InterfaceVersion) throws(DeviceMapperError) -> [DeviceListEntry] {
        var entries: [DeviceListEntry] = []
        var offset = 0
        while !bytes.isEmpty {
            let encoded = try number(UInt64.self, at: offset)
            let next = Int(try number(UInt32.self, at: offset + 8))
            let name = try text(at: offset + 12)
            var entry = DeviceListEntry(
                name: DeviceName(kernelBytes: name), number: DeviceNumber(encoded: encoded), eventNumber: nil, uuid: nil
            )
            if version.minor >= 38 {
                let events = Self.alignedUp(offset + 12 + name.count + 1)
                entry.eventNumber = try number(UInt32.self, at: events)
                let hasUUID: UInt32 = 1
                if version.minor >= InterfaceVersion.listsUUIDs.minor,
                    try number(UInt32.self, at: events + 4) & hasUUID != 0
                {
                    entry.uuid = DeviceUUID(kernelBytes: try text(at: Self.alignedUp(events + 8)))
                }
            }
            entries.append(entry)
            if next == 0 { break }
            guard next > 12 + name.count else { throw Self.malformed(offset) }
            offset += next
        }
        return entries
    }

    /// Reads `struct dm_target_versions` records.
    func targetVersions() throws(DeviceMapperError) -> [TargetVersion] {
        var versions: [TargetVersion] = []
        var offset = 0
        while !bytes.isEmpty {
            let next = Int(try number(UInt32.self, at: offset))
            let version = InterfaceVersion(
                major: try number(UInt32.self, at: offset + 4), minor: try number(UInt32.self, at: offset + 8),
                patch: try number(UInt32.self, at: offset + 12))
            let name = try text(at: offset + 16)
            versions.append(TargetVersion(name: String(decoding: name, as: UTF8.self), version: version))
            if next == 0 { break }
            guard next > 16 + name.count else { throw Self.malformed(offset) }
            offset += next
        }
        return versions
    }

    /// Reads `struct dm_target_deps`.
    func dependencies() throws(DeviceMapperError) -> [DeviceNumber] {
        if bytes.isEmpty { return [] }
        let count = try number(UInt32.self, at: 0)
        var devices: [DeviceNumber] = []
        for index in 0..<Int(count) {
            devices.append(DeviceNumber(encoded: try number(UInt64.self, at: 8 + 8 * index)))
        }
        return devices
    }

    /// Reads `count` records of `struct dm_target_spec`, each followed by its text.
    func targets(count: UInt32) throws(DeviceMapperError) -> [TargetLine] {
        var lines: [TargetLine] = []
        var offset = 0
        for index in 0..<count {
            let type = try text(at: offset + 24).prefix(16)
            lines.append(
                TargetLine(
                    start: Sectors(try number(UInt64.self, at: offset)),
                    length: Sectors(try number(UInt64.self, at: offset + 8)),
                    type: String(decoding: type, as: UTF8.self),
                    text: String(decoding: try text(at: offset + 40), as: UTF8.self)))
            if index + 1 == count { break }
            let next = Int(try number(UInt32.self, at: offset + 20))
            guard next > offset + 40 else { throw Self.malformed(next) }
            offset = next
        }
        return lines
    }

    /// Reads the text that a target answered a message with.
    func text() throws(DeviceMapperError) -> String {
        String(decoding: try text(at: 0), as: UTF8.self)
    }
}

/// A device in the list of devices.
public struct DeviceListEntry: Hashable, Sendable {
    /// The name.
    public let name: DeviceName
    /// The device number.
    public let number: DeviceNumber
    /// The number of the device's last event; `nil` before interface 4.38.
    public internal(set) var eventNumber: UInt32?
    /// The DM uuid, or `nil` when the device has none.
    ///
    /// Before interface 4.45, it is there only in a list by uuids.
    public internal(set) var uuid: DeviceUUID?

    /// Makes an entry of a list.
    public init(name: DeviceName, number: DeviceNumber, eventNumber: UInt32? = nil, uuid: DeviceUUID? = nil) {
        self.name = name
        self.number = number
        self.eventNumber = eventNumber
        self.uuid = uuid
    }
}

/// A target that the kernel has, and its version.
public struct TargetVersion: Hashable, Sendable {
    /// The target's name in a mapping table.
    public let name: String
    /// The version of the target.
    public let version: InterfaceVersion

    /// Makes the version of a target.
    public init(name: String, version: InterfaceVersion) {
        self.name = name
        self.version = version
    }
}

/// One line of a table or of a status, as the kernel words it.
public struct TargetLine: Hashable, Sendable, CustomStringConvertible {
    /// The first sector that the target maps.
    public let start: Sectors
    /// How many sectors it maps.
    public let length: Sectors
    /// The target's name.
    public let type: String
    /// Its parameters, or its status.
    public let text: String

    /// Makes a line.
    public init(start: Sectors, length: Sectors, type: String, text: String) {
        self.start = start
        self.length = length
        self.type = type
        self.text = text
    }

    /// The line as dmsetup prints it.
    public var description: String { "\(start) \(length) \(type) \(text)" }
}
