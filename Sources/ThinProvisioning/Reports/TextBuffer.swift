/// Text that is made of many short parts and handed on in large pieces.
struct TextBuffer {
    private var bytes: [UInt8] = []
    private let write: ([UInt8]) throws -> Void
    private static let limit = 1 << 16

    /// - Parameter write: Takes a piece of the text.
    init(_ write: @escaping ([UInt8]) throws -> Void) {
        self.write = write
        bytes.reserveCapacity(Self.limit + 4096)
    }

    /// Adds text as it stands in the program.
    @inline(__always)
    mutating func add(_ text: StaticString) {
        unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Adds text.
    mutating func add(text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    /// Adds a number in decimal digits.
    @inline(__always)
    mutating func add(_ number: UInt64) {
        if number < 10 { return bytes.append(UInt8(truncatingIfNeeded: number) + 48) }
        unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var (rest, place) = (number, 20)
            while rest > 0 {
                place -= 1
                let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                unsafe digits[place] = UInt8(truncatingIfNeeded: digit) + 48
                rest = quotient
            }
            unsafe bytes.append(contentsOf: UnsafeBufferPointer(rebasing: digits[place...]))
        }
    }

    /// Hands on what there is, if it is much.
    @inline(__always)
    mutating func flushIfLarge() throws {
        if bytes.count >= Self.limit { try flush() }
    }

    /// Hands on what there is.
    mutating func flush() throws {
        guard !bytes.isEmpty else { return }
        try write(bytes)
        bytes.removeAll(keepingCapacity: true)
    }
}
