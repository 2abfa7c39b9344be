/// Encrypts a device: the kernel's `dm-crypt.rst`.
public struct CryptTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "crypt"

    /// The cipher, chaining mode and initialisation vector.
    public var cipher: String
    /// The key in hexadecimal digits, a reference to a keyring that begins with `:`, or `-`.
    public var key: String
    /// A number that is added to the sector's for the initialisation vector.
    public var ivOffset: UInt64
    /// The device below.
    public var device: TargetDevice
    /// The first sector that is used of it.
    public var start: Sectors
    /// Words such as `allow_discards`.
    public var options: [String]

    /// Makes a target.
    public init(
        cipher: String, key: String, ivOffset: UInt64, device: TargetDevice, start: Sectors, options: [String] = []
    ) {
        self.cipher = cipher
        self.key = key
        self.ivOffset = ivOffset
        self.device = device
        self.start = start
        self.options = options
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let cipher = words.next(), let key = words.next(), let offset = words.number(),
            let device = words.device(), let start = words.sectors(), let options = words.countedWords()
        else { return nil }
        self.init(
            cipher: cipher, key: key, ivOffset: offset, device: device, start: start, options: options)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        let counted = options.isEmpty ? "" : " " + TargetWords.counted(options)
        return "\(TargetWords.escaped(cipher)) \(TargetWords.escaped(key)) \(ivOffset) \(device) \(start)\(counted)"
    }

    /// The target with zeros for the digits of its key.
    var redacted: CryptTarget {
        var target = self
        if key.first != ":", key != "-" { target.key = String(repeating: "0", count: key.utf8.count) }
        return target
    }
}
