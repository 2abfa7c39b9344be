/// Magic bytes, written as ASCII text or as numbers.
struct Magic: ExpressibleByStringLiteral, ExpressibleByArrayLiteral, Sendable {
    let bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }
    init(stringLiteral text: String) { bytes = Array(text.utf8) }
    init(arrayLiteral bytes: UInt8...) { self.bytes = bytes }

    /// The same number in the other order of bytes.
    var reversed: Magic { Magic(bytes: bytes.reversed()) }
}
