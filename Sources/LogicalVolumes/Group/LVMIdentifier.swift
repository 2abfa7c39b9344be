/// The uuid of a physical volume, a volume group or a logical volume: 32 letters and digits of lvm2's own.
public struct LVMIdentifier: Hashable, Sendable {
    /// The 32 characters without dashes, as labels and DM uuids have them.
    public let compact: String

    private static let alphabet = Array("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    private static let length = 32
    private static let groups = [6, 4, 4, 4, 4, 4, 6]

    /// Makes a new one.
    public init() {
        compact = String(
            decoding: (0..<Self.length).map { _ in Self.alphabet[Int.random(in: 0..<Self.alphabet.count)] },
            as: UTF8.self)
    }

    /// Reads either form; `nil` when the text is neither.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        if bytes.count == Self.length {
            self.init(compact: bytes)
            return
        }
        guard bytes.count == Self.length + Self.groups.count - 1 else { return nil }
        self.init(compact: bytes.filter { $0 != UInt8(ascii: "-") })
        // The dashes stand where lvm2 puts them.
        guard description == text else { return nil }
    }

    /// Reads the uuid of the volume group from the DM uuid of one of its devices, `LVM-` and what follows; `nil` when that is
    /// none of lvm2's.
    public init?(groupOfDeviceUUID text: String) {
        guard text.hasPrefix("LVM-"), text.utf8.count >= 4 + 2 * Self.length else { return nil }
        self.init(compact: Array(text.utf8.dropFirst(4).prefix(Self.length)))
    }

    /// Reads the 32 bytes of a label.
    init?(compact bytes: [UInt8]) {
        // Very old versions of lvm2 also used these two.
        let legacy = "!#".utf8
        guard bytes.count == Self.length, bytes.allSatisfy({ Self.alphabet.contains($0) || legacy.contains($0) }) else {
            return nil
        }
        compact = String(decoding: bytes, as: UTF8.self)
    }
}

extension LVMIdentifier: CustomStringConvertible {
    /// The form with dashes, in which texts and tools have it.
    public var description: String {
        var rest = Substring(compact)
        return Self.groups.map { count in
            defer { rest = rest.dropFirst(count) }
            return String(rest.prefix(count))
        }.joined(separator: "-")
    }
}
