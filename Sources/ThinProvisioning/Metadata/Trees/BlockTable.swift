/// A value for each block of the metadata.
///
/// Memory is taken for the parts of the device in which a value was set. A device may be 16 GiB long and nearly empty.
struct BlockTable<Value: Sendable>: Sendable {
    /// The size of a part: the blocks of a bitmap.
    private static var partSize: Int { Int(BitmapLayout.entries) }

    /// How many blocks there are.
    let count: Int
    private let initial: Value
    private var parts: [[Value]]

    /// A table with the same value for all blocks.
    init(repeating initial: Value, count: Int) {
        (self.initial, self.count) = (initial, count)
        parts = [[Value]](repeating: [], count: (count + Self.partSize - 1) / Self.partSize)
    }

    /// The value of a block.
    subscript(block: Int) -> Value {
        get {
            let (part, place) = block.quotientAndRemainder(dividingBy: Self.partSize)
            return parts[part].isEmpty ? initial : parts[part][place]
        }
        set {
            let (part, place) = block.quotientAndRemainder(dividingBy: Self.partSize)
            if parts[part].isEmpty { parts[part] = [Value](repeating: initial, count: Self.partSize) }
            parts[part][place] = newValue
        }
    }

    /// The values of the blocks of a bitmap; empty where none was set.
    func part(_ number: Int) -> [Value] { number < parts.count ? parts[number] : [] }

    /// The blocks whose value satisfies a condition that the initial value does not satisfy.
    func blocks(where condition: (Value) -> Bool) -> [Int] {
        parts.indices.flatMap { number in
            parts[number].indices.filter { condition(parts[number][$0]) }.map { number * Self.partSize + $0 }
        }
    }
}
