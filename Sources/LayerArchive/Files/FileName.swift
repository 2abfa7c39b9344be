internal import SystemCalls
internal import SystemPackage

/// The name of an entry of a directory: any bytes but zero and the slash.
struct FileName: Hashable, Comparable, Sendable {
    /// The name with the zero byte that the system calls want.
    private let terminated: [UInt8]

    /// Makes a name from its bytes, none of which is zero.
    init(_ bytes: some Sequence<UInt8>) {
        terminated = Array(bytes) + [0]
    }

    /// The name without a zero byte.
    var bytes: ArraySlice<UInt8> { terminated.dropLast() }

    /// Orders names as `strcmp` does, by the values of their bytes.
    static func < (a: FileName, b: FileName) -> Bool {
        a.terminated.lexicographicallyPrecedes(b.terminated)
    }

    /// Lends the name to a system call.
    func withCString<Answer, Failure: Error>(
        _ body: (UnsafePointer<CChar>) throws(Failure) -> Answer
    ) throws(Failure) -> Answer {
        try unsafe Self.withCString(terminated, body)
    }

    /// Lends any bytes that end in zero to a system call.
    static func withCString<Answer, Failure: Error>(
        _ terminated: [UInt8], _ body: (UnsafePointer<CChar>) throws(Failure) -> Answer
    ) throws(Failure) -> Answer {
        precondition(terminated.last == 0)
        return try unsafe terminated.withUnsafeBufferPointer { (bytes) throws(Failure) -> Answer in
            // Not empty, so there is a base address.
            let start = unsafe UnsafeRawPointer(bytes.baseAddress.unsafelyUnwrapped)
            return try unsafe body(start.assumingMemoryBound(to: CChar.self))
        }
    }

    /// The target of the symbolic link of this name in an open directory.
    ///
    /// The corresponding C function is `readlinkat`.
    ///
    /// - Parameter guess: The probable length of the target in bytes.
    func linkTarget(in directory: FileDescriptor, guess: Int) throws(Errno) -> [UInt8] {
        var capacity = guess + 1
        while true {
            var target = [CChar](repeating: 0, count: capacity)
            let count = try systemCall {
                unsafe withCString { name in unsafe readlinkat(directory.rawValue, name, &target, capacity) }
            }
            if count < capacity { return target.prefix(count).map(UInt8.init(bitPattern:)) }
            // Some file systems give no size for a link.
            capacity *= 2
        }
    }

    /// Any name for people to read: valid UTF-8 as it is, everything that is none, or would not show, escaped.
    static func printable(_ bytes: [UInt8]) -> String {
        var text = ""
        var rest = bytes[...]
        while let first = rest.first {
            let length = first < 0x80 ? 1 : min((~first).leadingZeroBitCount, rest.count)
            if let scalar = String(validating: rest.prefix(max(length, 1)), as: UTF8.self)?.unicodeScalars.first,
                scalar.properties.generalCategory != .control
            {
                text.unicodeScalars.append(scalar)
                rest = rest.dropFirst(max(length, 1))
            } else {
                text += first == 0x0a ? "\\n" : "\\x" + (first < 16 ? "0" : "") + String(first, radix: 16)
                rest = rest.dropFirst()
            }
        }
        return text
    }
}
