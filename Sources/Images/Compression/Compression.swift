#if Images
/// How an archive is compressed, by its first bytes.
enum Compression {
    case gzip, zstd

    /// How many of the first bytes ``init(of:)`` wants to see.
    static let lengthOfMark = 4

    /// Recognises a compression; `nil` stands for none that is known.
    init?(of beginning: [UInt8]) {
        if beginning.starts(with: [0x1f, 0x8b]) {
            self = .gzip
        } else if beginning.starts(with: [0x28, 0xb5, 0x2f, 0xfd]) {
            self = .zstd
        } else {
            return nil
        }
    }
}
#endif
