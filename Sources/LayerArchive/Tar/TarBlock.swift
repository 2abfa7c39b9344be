/// The 512 bytes of a tar header, as POSIX.1 (ustar) and GNU tar lay them out.
struct TarBlock {
    /// The size of a block; headers and contents begin at a multiple of it.
    static let size = 512

    /// Which implementation's rules hold for the bytes that old tar left unused.
    enum Dialect {
        /// The seventh edition of Unix: there are no such fields.
        case v7
        case ustar
        case gnu
        case star
    }

    /// A field that holds text, up to the first zero byte.
    enum Text {
        static let name = 0..<100
        static let linkName = 157..<257
        static let magic = 257..<265
        static let prefix = 345..<500
        /// star ends its header in a magic of its own, and has a shorter prefix.
        static let starPrefix = 345..<476
        static let starTrailer = 508..<512
    }

    /// A field that holds a number.
    enum Number: String {
        case mode, userID = "user ID", groupID = "group ID", size, modificationTime = "modification time", checksum
        case deviceMajor = "device major", deviceMinor = "device minor"

        var range: Range<Int> {
            switch self {
            case .mode: 100..<108
            case .userID: 108..<116
            case .groupID: 116..<124
            case .size: 124..<136
            case .modificationTime: 136..<148
            case .checksum: 148..<156
            case .deviceMajor: 329..<337
            case .deviceMinor: 337..<345
            }
        }
    }

    private static let typePosition = 156

    /// Always 512 bytes.
    private(set) var bytes: [UInt8]

    /// A block of zeros, as they mark the end of an archive.
    init() {
        bytes = [UInt8](repeating: 0, count: Self.size)
    }

    /// Copies a block of 512 bytes.
    init(_ span: Span<UInt8>) {
        precondition(span.count == Self.size)
        bytes = unsafe span.withUnsafeBufferPointer { unsafe Array($0) }
    }

    /// The program that decompresses what begins with this block, if it is compressed.
    var compressionProgram: String? {
        let magics: [(bytes: [UInt8], program: String)] = [
            ([0x1f, 0x8b], "gzip"), ([0x28, 0xb5, 0x2f, 0xfd], "zstd"), ([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], "xz"),
            (Array("BZh".utf8), "bzip2"),
        ]
        return magics.first { bytes.starts(with: $0.bytes) && bytes[Text.magic.lowerBound] != UInt8(ascii: "u") }?
            .program
    }

    var isZero: Bool { bytes.allSatisfy { $0 == 0 } }

    var type: UInt8 {
        get { bytes[Self.typePosition] }
        set { bytes[Self.typePosition] = newValue }
    }

    var dialect: Dialect {
        switch Array(bytes[Text.magic]) {
        case Array("ustar  \0".utf8): .gnu
        case let magic where magic.starts(with: "ustar\0".utf8):
            Array(bytes[Text.starTrailer]) == Array("tar\0".utf8) ? .star : .ustar
        default: .v7
        }
    }

    // MARK: Reading

    /// The text in `range` up to its first zero byte.
    func text(_ range: Range<Int>) -> [UInt8] {
        Array(bytes[range].prefix { $0 != 0 })
    }

    /// The number in a field.
    func number(_ field: Number) throws(LayerArchiveError) -> Int64 {
        try number(field.range, field.rawValue)
    }

    /// The number in `range`: octal digits, or base 256 when the highest bit is set, as GNU tar does.
    func number(_ range: Range<Int>, _ name: String) throws(LayerArchiveError) -> Int64 {
        let field = bytes[range]
        if let first = field.first, first & 0x80 != 0 { return try Self.binary(field, name) }
        var (value, hasBegun): (Int64, Bool) = (0, false)
        for position in range {
            let digit = bytes[position]
            if digit == 0 || digit == UInt8(ascii: " ") {
                if hasBegun { break }
                continue
            }
            guard digit & ~7 == UInt8(ascii: "0") else {
                throw LayerArchiveError(.malformed, "the \(name) is no octal number")
            }
            // Twelve digits of three bits at most.
            value = value << 3 | Int64(digit & 7)
            hasBegun = true
        }
        return value
    }

    private static func binary(_ field: ArraySlice<UInt8>, _ name: String) throws(LayerArchiveError) -> Int64 {
        // The highest bit marks the form, the next one is the sign of a two's complement number.
        let sign: Int64 = (field.first ?? 0) & 0x40 != 0 ? -1 : 0
        var value = sign
        for (position, byte) in field.enumerated() {
            let digits = position == 0 ? (byte & 0x3f) | (sign < 0 ? 0xc0 : 0) : byte
            guard value >> 55 == sign else { throw LayerArchiveError(.malformed, "the \(name) is too large") }
            value = value << 8 | Int64(digits)
        }
        return value
    }

    /// Whether the checksum is right: the sum of all bytes, with its own field taken as spaces.
    ///
    /// Some old programs summed signed bytes.
    func hasValidChecksum() throws(LayerArchiveError) -> Bool {
        let stored = try number(.checksum)
        let sums = sums
        return stored == sums.unsigned || stored == sums.signed
    }

    /// The sum of the bytes, each taken as a number from 0 to 255 and as one from -128 to 127.
    private var sums: (unsigned: Int64, signed: Int64) {
        var unsigned: Int64 = 0
        var negative: Int64 = 0
        unsafe bytes.withUnsafeBufferPointer { buffer in
            guard let bytes = buffer.baseAddress else { return }
            // Every byte of every header comes along here, in debug builds too.
            var position = 0
            while position < Self.size {
                let byte = unsafe bytes[position]
                unsigned &+= Int64(byte)
                negative &+= Int64(byte >> 7)
                position &+= 1
            }
        }
        // As many spaces as the field has bytes.
        for byte in bytes[Number.checksum.range] {
            unsigned += 32 - Int64(byte)
            negative -= Int64(byte >> 7)
        }
        return (unsigned, unsigned - 256 * negative)
    }

    // MARK: Writing

    /// Puts in as much of a text as there is room for.
    mutating func setText(_ range: Range<Int>, _ text: some Sequence<UInt8>) {
        for (position, byte) in zip(range, text) { bytes[position] = byte }
    }

    /// Puts in a number as octal digits and a zero byte; one that there is no room for, or a negative one, becomes 0.
    mutating func setNumber(_ field: Number, _ number: Int64) {
        let digits = field.range.count - 1
        var rest = Self.fits(number, in: field) ? number : 0
        for position in field.range.prefix(digits).reversed() {
            bytes[position] = UInt8(ascii: "0") + UInt8(rest & 7)
            rest >>= 3
        }
        bytes[field.range.upperBound - 1] = 0
    }

    /// Whether a field has room for a number.
    static func fits(_ number: Int64, in field: Number) -> Bool {
        number >= 0 && number >> Int64(3 * (field.range.count - 1)) == 0
    }

    /// Marks the block as a ustar header and puts in its checksum, which must come last.
    mutating func seal() {
        setText(Text.magic, "ustar\u{0}00".utf8)
        setNumber(.checksum, sums.unsigned)
    }
}
