internal import CShims
internal import SystemCalls
internal import SystemPackage

/// A file whose extended attributes are read or set.
///
/// There is no system call for the attributes of an entry of an open directory; but /proc has a path that leads there.
struct AttributeHolder {
    private let terminatedPath: [UInt8]
    private let descriptor: FileDescriptor?
    /// Whether the last part of the path is a link of /proc, which leads to the file itself.
    private let isReached: Bool

    /// An open file; not one that was opened with `O_PATH`.
    init(_ descriptor: FileDescriptor) {
        self.descriptor = descriptor
        terminatedPath = [0]
        isReached = false
    }

    /// The file, of any type, that was opened with `O_PATH`.
    init(reachedBy descriptor: FileDescriptor) {
        self.descriptor = nil
        terminatedPath = Array("/proc/self/fd/\(descriptor.rawValue)".utf8) + [0]
        isReached = true
    }

    /// The entry `name` of an open directory; a symbolic link is not followed.
    init(_ name: FileName, in directory: FileDescriptor) {
        descriptor = nil
        terminatedPath = Array("/proc/self/fd/\(directory.rawValue)/".utf8) + name.bytes + [0]
        isReached = false
    }

    /// The names of the attributes, sorted.
    ///
    /// The corresponding C functions are `flistxattr`, `listxattr` and `llistxattr`.
    func names() throws(Errno) -> [[UInt8]] {
        let list = try unsafe Self.bytes(guess: 256) { buffer, size in
            let names = unsafe buffer?.assumingMemoryBound(to: CChar.self)
            if let descriptor { return unsafe flistxattr(descriptor.rawValue, names, size) }
            return unsafe FileName.withCString(terminatedPath) { path in
                unsafe isReached ? listxattr(path, names, size) : llistxattr(path, names, size)
            }
        }
        guard let list, !list.isEmpty else { return [] }
        return list.split(separator: 0).map(Array.init).sorted { $0.lexicographicallyPrecedes($1) }
    }

    /// The value of an attribute, or `nil` when the file has none of this name.
    ///
    /// The corresponding C functions are `fgetxattr`, `getxattr` and `lgetxattr`.
    func value(of name: [UInt8]) throws(Errno) -> [UInt8]? {
        try unsafe Self.bytes(guess: 64) { buffer, size in
            unsafe FileName.withCString(name + [0]) { name in
                if let descriptor { return unsafe fgetxattr(descriptor.rawValue, name, buffer, size) }
                return unsafe FileName.withCString(terminatedPath) { path in
                    unsafe isReached ? getxattr(path, name, buffer, size) : lgetxattr(path, name, buffer, size)
                }
            }
        }
    }

    /// Sets an attribute, or replaces its value.
    ///
    /// The corresponding C functions are `fsetxattr`, `setxattr` and `lsetxattr`.
    func set(_ attribute: ExtendedAttribute) throws(Errno) {
        let (value, size) = (attribute.value, attribute.value.count)
        try systemCall {
            unsafe FileName.withCString(attribute.name + [0]) { name in
                if let descriptor { return unsafe fsetxattr(descriptor.rawValue, name, value, size, 0) }
                return unsafe FileName.withCString(terminatedPath) { path in
                    unsafe isReached ? setxattr(path, name, value, size, 0) : lsetxattr(path, name, value, size, 0)
                }
            }
        }
    }

    /// Removes an attribute if the file has it.
    ///
    /// The corresponding C functions are `fremovexattr`, `removexattr` and `lremovexattr`.
    func remove(_ name: [UInt8]) throws(Errno) {
        do {
            try systemCall {
                unsafe FileName.withCString(name + [0]) { name in
                    if let descriptor { return unsafe fremovexattr(descriptor.rawValue, name) }
                    return unsafe FileName.withCString(terminatedPath) { path in
                        unsafe isReached ? removexattr(path, name) : lremovexattr(path, name)
                    }
                }
            }
        } catch {
            guard error == .noData || error == .notSupported else { throw error }
        }
    }

    /// Calls `read` with a buffer, and with a larger one until the answer fits.
    ///
    /// - Returns: `nil` when there is no such attribute, or the file system has none at all.
    private static func bytes(
        guess: Int, _ read: (UnsafeMutableRawPointer?, Int) -> Int
    ) throws(Errno) -> [UInt8]? {
        var capacity = guess
        while true {
            do {
                return try unsafe [UInt8](unsafeUninitializedCapacity: capacity) { (buffer, count) throws(Errno) in
                    let start = UnsafeMutableRawPointer(buffer.baseAddress)
                    count = try systemCall { unsafe read(start, capacity) }
                }
            } catch .noData, .notSupported {
                return nil
            } catch .outOfRange {
                // Asked with no buffer, the kernel answers with the size.
                capacity = max(try systemCall { read(nil, 0) }, 1)
            } catch {
                throw error
            }
        }
    }
}
