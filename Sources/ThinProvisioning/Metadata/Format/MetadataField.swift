/// The place of a little-endian number in a block of a pool's metadata, or in a structure within a block.
struct MetadataField<Value: FixedWidthInteger & BitwiseCopyable> {
    /// The distance from the beginning of the structure, in bytes.
    let offset: Int

    init(_ offset: Int) {
        self.offset = offset
    }
}

/// The beginning of every block, as in `drivers/md/persistent-data/dm-block-manager.c` and the structures of its users.
enum BlockHeaderLayout {
    /// `csum`: the checksum of everything behind it, and of the kind of the block.
    static let checksum = MetadataField<UInt32>(0)
    /// `blocknr`: the number of the block itself.
    static let number = MetadataField<UInt64>(8)

    /// The size of a block in bytes.
    static let blockSize = 4096
    /// The first byte that the checksum covers.
    static let checkedFrom = 4
}

extension RawSpan {
    /// The number in a field of a structure that begins `start` bytes behind the beginning of these bytes.
    ///
    /// A field that is not within the bytes traps: a caller has checked the numbers from which it computed the place.
    @inline(__always)
    func number<Value>(_ field: MetadataField<Value>, in start: Int = 0) -> Value {
        unsafe Value(littleEndian: unsafeLoadUnaligned(fromByteOffset: start + field.offset, as: Value.self))
    }
}
