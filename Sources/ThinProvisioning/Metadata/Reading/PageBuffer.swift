/// Memory for blocks, which begins at a multiple of their size, as reading past the page cache demands.
@safe final class PageBuffer {
    private let memory: UnsafeMutableRawBufferPointer

    /// Memory for `count` blocks.
    init(blocks count: Int) {
        unsafe memory = .allocate(
            byteCount: count * BlockHeaderLayout.blockSize, alignment: BlockHeaderLayout.blockSize)
    }

    deinit { unsafe memory.deallocate() }

    /// Reads blocks that follow each other.
    ///
    /// - Returns: How many of the `count` blocks are there now.
    func fill(_ count: Int, from first: UInt64, of source: any ThinMetadataSource) -> Int {
        let room = count * BlockHeaderLayout.blockSize
        precondition(unsafe room <= memory.count)
        // Each block that is missing is a finding of the caller's, which does not need the reason.
        let read = try? unsafe source.readBlocks(
            from: first, into: UnsafeMutableRawBufferPointer(rebasing: memory[..<room]))
        return min(count, read ?? 0)
    }

    /// Calls `body` with the bytes of a block that was read.
    @inline(__always)
    func with<Result>(block index: Int, _ body: (RawSpan) throws -> Result) rethrows -> Result {
        let size = BlockHeaderLayout.blockSize
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: memory[index * size..<(index + 1) * size])
        return try body(unsafe bytes.bytes)
    }
}

extension MetadataBlocks {
    /// The most blocks that a pool's metadata can have: the index of their counts has room for 255 bitmaps.
    static let most = UInt64(IndexEntryLayout.mostInBlock) * BitmapLayout.entries

    /// How many blocks a walk has to count with.
    var bound: Int { Int(min(count, Self.most)) }

    /// Calls `body` with each of some blocks, in the given order; blocks that follow each other are read at once.
    ///
    /// - Parameters:
    ///   - numbers: The blocks. A walk is fast if they are in order.
    ///   - body: Gets the place in `numbers` and the bytes of the block, or a block of no bytes where it cannot be read.
    func forEach(_ numbers: ArraySlice<UInt32>, _ body: (Int, RawSpan) throws -> Void) rethrows {
        let most = 64
        let buffer = PageBuffer(blocks: most)
        var next = numbers.startIndex
        while next < numbers.endIndex {
            var end = next + 1
            // A few blocks between two wanted ones cost less than another request.
            while end < numbers.endIndex, numbers[end] > numbers[end - 1], numbers[end] - numbers[end - 1] <= 4,
                Int(numbers[end] - numbers[next]) < most
            {
                end += 1
            }
            let first = numbers[next]
            let filled = buffer.fill(Int(numbers[end - 1] - first) + 1, from: UInt64(first), of: source)
            for place in next..<end {
                let index = Int(numbers[place] - first)
                if index < filled {
                    try buffer.with(block: index) { try body(place, $0) }
                } else {
                    try reread(numbers[place], place, body)
                }
            }
            next = end
        }
    }

    /// A block that a longer request did not reach, because one before it cannot be read.
    private func reread(_ number: UInt32, _ place: Int, _ body: (Int, RawSpan) throws -> Void) rethrows {
        let buffer = PageBuffer(blocks: 1)
        guard buffer.fill(1, from: UInt64(number), of: source) == 1 else { return try body(place, RawSpan()) }
        try buffer.with(block: 0) { try body(place, $0) }
    }
}
