internal import SystemPackage

/// The bytes of a document, of which a part is kept: the scanner looks at one tag or text after the other.
struct DocumentBytes {
    /// No tag is longer.
    static let longestTag = 1 << 16
    private static let readSize = 1 << 20

    private let descriptor: FileDescriptor?
    private var bytes: [UInt8]
    private var position = 0
    private var isAtEnd: Bool
    /// The line of the next byte, from 1 on.
    private(set) var line = 1

    init(_ descriptor: FileDescriptor) {
        self.descriptor = descriptor
        bytes = []
        isAtEnd = false
    }

    init(_ bytes: [UInt8]) {
        descriptor = nil
        self.bytes = bytes
        isAtEnd = true
    }

    /// Reads on where fewer bytes are left than a tag may have.
    mutating func fill() throws(ThinMetadataDocumentError) {
        guard !isAtEnd, bytes.count - position < Self.longestTag, let descriptor else { return }
        bytes.removeFirst(position)
        position = 0
        let kept = bytes.count
        bytes += [UInt8](repeating: 0, count: Self.readSize)
        var filled = kept
        do {
            while filled < bytes.count, !isAtEnd {
                let count = try unsafe bytes.withUnsafeMutableBytes { buffer in
                    try unsafe descriptor.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
                }
                filled += count
                isAtEnd = count == 0
            }
        } catch {
            throw ThinMetadataDocumentError(line: nil, "cannot read the document: \(error)")
        }
        bytes.removeLast(bytes.count - filled)
    }

    /// The next byte; `nil` at the end of what has been read.
    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func skip() { skip(1) }

    mutating func skip(_ count: Int) {
        for index in position..<min(position + count, bytes.count) where bytes[index] == UInt8(ascii: "\n") {
            line += 1
        }
        position = min(position + count, bytes.count)
    }

    mutating func skipSpace() {
        while position < bytes.count {
            switch bytes[position] {
            case UInt8(ascii: "\n"): line += 1
            case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"): break
            default: return
            }
            position += 1
        }
    }

    /// Skips a text without line ends if it is there.
    mutating func skip(over text: StaticString) -> Bool {
        let length = text.utf8CodeUnitCount
        guard bytes.count - position >= length else { return false }
        let isThere = unsafe bytes.withUnsafeBufferPointer { buffer in
            var index = 0
            while index < length {
                guard unsafe buffer[position + index] == text.utf8Start[index] else { return false }
                index += 1
            }
            return true
        }
        if isThere { position += length }
        return isThere
    }

    /// Takes digits.
    ///
    /// - Returns: `nil` where there is none or where the number does not fit; then nothing is skipped.
    mutating func number() -> UInt64? {
        var (value, index) = (UInt64(0), position)
        while index < bytes.count, case let digit = bytes[index] &- UInt8(ascii: "0"), digit < 10 {
            // Twelve digits hold every number of a mapping; longer ones are checked.
            if index - position < 18 {
                value = value &* 10 &+ UInt64(digit)
            } else {
                let (product, first) = value.multipliedReportingOverflow(by: 10)
                let (sum, second) = product.addingReportingOverflow(UInt64(digit))
                guard !first, !second else { return nil }
                value = sum
            }
            index += 1
        }
        guard index > position else { return nil }
        position = index
        return value
    }

    /// Takes the bytes before the first that is one of `ends`, and leaves that.
    mutating func take(until isEnd: (UInt8) -> Bool) -> [UInt8]? {
        let limit = min(bytes.count, position + Self.longestTag)
        guard let end = bytes[position..<limit].firstIndex(where: isEnd) else { return nil }
        let taken = Array(bytes[position..<end])
        skip(end - position)
        return taken
    }

    /// Remembers a place, to come back to when a guess was wrong.
    var mark: (position: Int, line: Int) {
        get { (position, line) }
        set { (position, line) = newValue }
    }
}
