#if Images
internal import Crypto

/// The SHA-256 digest that names a content: `sha256:` and 64 hexadecimal digits.
public struct ContentDigest: Hashable, Sendable, CustomStringConvertible {
    /// The 64 lower-case hexadecimal digits.
    public let hexadecimal: String

    /// Takes a digest with `sha256:` before it.
    ///
    /// - Returns: `nil` if the text is none.
    public init?(_ text: String) {
        guard text.hasPrefix("sha256:") else { return nil }
        self.init(hexadecimal: String(text.dropFirst("sha256:".count)))
    }

    /// Takes the 64 hexadecimal digits.
    ///
    /// - Returns: `nil` if the text is something else.
    public init?(hexadecimal: String) {
        let isDigits = hexadecimal.utf8.allSatisfy { byte in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
        }
        guard hexadecimal.utf8.count == 64, isDigits else { return nil }
        self.hexadecimal = hexadecimal
    }

    /// Computes the digest of a content.
    public init(of content: [UInt8]) {
        var digest = RunningDigest()
        digest.update(content.span)
        self = digest.value
    }

    fileprivate init(_ bytes: some Sequence<UInt8>) {
        let digits = Array("0123456789abcdef".utf8)
        hexadecimal = String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }

    /// The digest with `sha256:` before it.
    public var description: String { "sha256:" + hexadecimal }

    /// The first twelve digits, by which people know an image.
    public var short: String { String(hexadecimal.prefix(12)) }

    /// The path of the content in an OCI image layout.
    var blobPath: String { "blobs/sha256/\(hexadecimal)" }

    /// The id of a chain of layers: of the lowest one its digest, of every other the digest of the id below and its own.
    ///
    /// The OCI image specification defines it under “Layer ChainID”.
    public static func chain(_ layer: ContentDigest, on parent: ContentDigest?) -> ContentDigest {
        guard let parent else { return layer }
        return ContentDigest(of: Array("\(parent) \(layer)".utf8))
    }
}

/// A digest of a content that comes piece by piece.
struct RunningDigest {
    private var hash = SHA256()

    mutating func update(_ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
    }

    /// The digest of all pieces until here.
    var value: ContentDigest { ContentDigest(hash.finalize()) }
}
#endif
