public import SystemPackage

/// An operation on a file system that could not be carried out.
public struct FilesystemError: Error, Hashable, Sendable {
    /// What was attempted, to complete "cannot …".
    public let operation: String
    /// The device or the directory that it was attempted on.
    public let path: FilePath
    /// The kernel's error number, if it was the kernel that refused.
    public let errno: Errno?
    /// What else is known, and what to do.
    public let detail: String?

    /// Makes an error.
    public init(_ operation: String, _ path: FilePath, errno: Errno? = nil, detail: String? = nil) {
        self.operation = operation
        self.path = path
        self.errno = errno
        self.detail = detail
    }
}

extension FilesystemError: CustomStringConvertible {
    /// What was attempted on what, and why it failed.
    public var description: String {
        (["cannot \(operation) \(path)", errno.map { "\($0) (errno \($0.rawValue))" }, detail] as [String?])
            .compactMap(\.self).joined(separator: ": ")
    }
}
