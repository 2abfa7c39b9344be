/// The name of a mapped device, as `DM_DEV_CREATE` takes it.
///
/// A name that a caller makes is restricted to the characters that udev's rules leave unescaped
/// (`A-Z a-z 0-9 # + - . : = @ _`), so that it is the same in the kernel, in `/dev/mapper` and in dmsetup. A name that
/// the kernel reports is kept as it is, byte for byte.
public struct DeviceName: Hashable, Sendable {
    /// The longest name in bytes: the kernel keeps 128 with the terminating zero.
    public static let maximumLength = 127

    let bytes: [UInt8]

    /// Makes a name for a device.
    ///
    /// - Throws: ``DeviceMapperError/Code/invalidName`` when `text` is empty, longer than ``maximumLength`` bytes, one
    ///   of the names `.`, `..` and `control`, or has a character outside the allowed set.
    public init(_ text: String) throws(DeviceMapperError) {
        let bytes = Array(text.utf8)
        if let problem = Self.problem(in: bytes) {
            throw DeviceMapperError(.invalidName, device: text, detail: problem)
        }
        self.bytes = bytes
    }

    /// Takes the name of a device that another program has made: any text of up to ``maximumLength`` bytes.
    ///
    /// libdevmapper writes what udev would escape as `\xNN` into the kernel's name; such a name is taken as it is there.
    ///
    /// - Throws: ``DeviceMapperError/Code/invalidName`` when no device can have the name.
    public init(existing text: String) throws(DeviceMapperError) {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty, bytes.count <= Self.maximumLength, !bytes.contains(0) else {
            throw DeviceMapperError(
                .invalidName, device: text, detail: "a device's name has 1 to \(Self.maximumLength) bytes")
        }
        self.bytes = bytes
    }

    /// Takes a name from the kernel.
    init(kernelBytes bytes: [UInt8]) {
        self.bytes = bytes
    }

    private static func problem(in bytes: [UInt8]) -> String? {
        if bytes.isEmpty { return "the name is empty" }
        if bytes.count > maximumLength {
            return "the name has \(bytes.count) bytes, the kernel takes \(maximumLength)"
        }
        if [".", "..", "control"].contains(where: { Array($0.utf8) == bytes }) { return "the name is reserved" }
        guard bytes.allSatisfy(isPlain) else {
            return "the name may have letters, digits and # + - . : = @ _ only"
        }
        return nil
    }

    static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "#"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: ":"),
            UInt8(ascii: "="), UInt8(ascii: "@"), UInt8(ascii: "_"):
            true
        default:
            false
        }
    }
}

extension DeviceName: CustomStringConvertible {
    /// The name as text; control characters and bytes that are no UTF-8 are shown as `\xNN`.
    public var description: String { printable(bytes) }
}

/// The DM uuid of a mapped device: up to 128 bytes that its creator chose, by convention with a prefix that names the
/// creator (`LVM-`, `CRYPT-`, `mpath-`), which says whose device it is whatever its name.
public struct DeviceUUID: Hashable, Sendable {
    /// The longest uuid in bytes: the kernel keeps 129 with the terminating zero.
    public static let maximumLength = 128

    let bytes: [UInt8]

    /// Makes a uuid for a device.
    ///
    /// - Throws: ``DeviceMapperError/Code/invalidName`` when `text` is empty, longer than ``maximumLength`` bytes or
    ///   has a zero byte.
    public init(_ text: String) throws(DeviceMapperError) {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty, bytes.count <= Self.maximumLength, !bytes.contains(0) else {
            throw DeviceMapperError(
                .invalidName, device: text, detail: "a DM uuid has 1 to \(Self.maximumLength) bytes and no zero byte")
        }
        self.bytes = bytes
    }

    /// Takes a uuid from the kernel.
    init(kernelBytes bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// Whether the uuid begins with `prefix`, that is, whether its creator is the one that uses this prefix.
    public func hasPrefix(_ prefix: String) -> Bool {
        bytes.starts(with: prefix.utf8)
    }
}

extension DeviceUUID: CustomStringConvertible {
    /// The uuid as text; control characters and bytes that are no UTF-8 are shown as `\xNN`.
    public var description: String { printable(bytes) }
}

private func printable(_ bytes: [UInt8]) -> String {
    // Nearly every name is of these characters, and their categories need not be looked up.
    if bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) { return String(decoding: bytes, as: UTF8.self) }
    if let text = String(validating: bytes, as: UTF8.self),
        text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control })
    {
        return text
    }
    return bytes.map { byte in
        if byte >= 0x20 && byte < 0x7f { return String(UnicodeScalar(byte)) }
        return "\\x" + (byte < 0x10 ? "0" : "") + String(byte, radix: 16)
    }.joined()
}

/// The name, uuid or number by which a command names its device.
///
/// The kernel takes exactly one of the three.
public enum DeviceReference: Hashable, Sendable {
    /// The device with this name.
    case name(DeviceName)
    /// The device with this uuid.
    case uuid(DeviceUUID)
    /// The device with this number.
    case number(DeviceNumber)
}

extension DeviceReference: CustomStringConvertible {
    /// The name, the uuid or `major:minor`.
    public var description: String {
        switch self {
        case .name(let name): name.description
        case .uuid(let uuid): "uuid \(uuid)"
        case .number(let number): number.description
        }
    }
}
