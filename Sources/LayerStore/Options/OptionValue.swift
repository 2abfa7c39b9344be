/// The value of one storage option, as the user wrote it.
struct OptionValue {
    let key: String
    let text: String

    private func refused(_ allowed: String) -> LayerStoreError {
        let hidden = InvisibleCharacter.first(in: text).map { "it has \($0); " } ?? ""
        return LayerStoreError(.invalidOption, "\(key)=\(text) is not allowed: \(hidden)\(allowed)")
    }

    func nonEmpty() throws(LayerStoreError) -> String {
        guard !text.isEmpty else { throw refused("the value is empty") }
        guard !text.utf8.contains(0) else { throw refused("the kernel and other programs would read a part of it") }
        return text
    }

    /// A size above zero.
    func size() throws(LayerStoreError) -> UInt64 {
        guard let size = ByteSize.parse(text), size > 0 else {
            throw refused("a size is a number above 0 with an optional suffix b, k, m, g, t or p (powers of 1024)")
        }
        return size
    }

    /// A size that the kernel accepts for the blocks of a pool.
    func blockSize() throws(LayerStoreError) -> UInt64 {
        let size = try size()
        guard size >= 64 << 10, size <= 1 << 30, size % (64 << 10) == 0 else {
            throw refused("a pool's blocks have 64k to 1g, in multiples of 64k")
        }
        return size
    }

    func boolean() throws(LayerStoreError) -> Bool {
        switch text {
        case "1", "t", "T", "TRUE", "true", "True": true
        case "0", "f", "F", "FALSE", "false", "False": false
        default: throw refused("it is true or false")
        }
    }

    func filesystem() throws(LayerStoreError) -> StorageOptions.Filesystem {
        guard let filesystem = StorageOptions.Filesystem(rawValue: text) else { throw refused("it is ext4 or xfs") }
        return filesystem
    }

    func count() throws(LayerStoreError) -> UInt64 {
        guard let count = UInt64(text) else { throw refused("it is a whole number from 0 on") }
        return count
    }

    func integer(_ range: ClosedRange<Int>) throws(LayerStoreError) -> Int {
        guard let number = Int(text), range.contains(number) else {
            throw refused("it is a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    func percent(_ range: ClosedRange<Int>, isSignRequired: Bool = false) throws(LayerStoreError) -> Int {
        let digits = text.last == "%" ? text.dropLast() : Substring(text)
        guard let number = Int(digits), range.contains(number), !isSignRequired || text.last == "%" else {
            let form = isSignRequired ? "with a % sign behind it" : "with or without a % sign"
            throw refused("it is a whole number from \(range.lowerBound) to \(range.upperBound) \(form)")
        }
        return number
    }
}
