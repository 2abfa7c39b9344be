internal import ArgumentParser
internal import LayerStore

/// A size in the arguments of a command.
enum SizeArgument {
    /// Reads a size.
    ///
    /// - Parameters:
    ///   - text: A number with a suffix, as in Docker's options.
    ///   - name: The argument's name, for the error.
    /// - Returns: The size in bytes.
    static func bytes(_ text: String, of name: String) throws(ValidationError) -> UInt64 {
        guard let bytes = ByteSize.parse(text), bytes > 0 else {
            throw ValidationError("\(name) \(text) is no size; write a number with k, m, g or t behind it")
        }
        return bytes
    }
}
