public import SystemPackage

/// An operation on a file system that could not be carried out.
public struct FilesystemError: Error, Hashable, Sendable {
    /// The operation that failed, to complete "cannot …".
    public let operation: String
    /// The device or the directory of the operation.
    public let path: FilePath
    /// The kernel's error number, if the kernel refused the operation.
    public let errno: Errno?
    /// Further facts, and a remedy.
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
    /// The operation, its path and the reason for the failure.
    public var description: String {
        (["cannot \(operation) \(path)", errno.map { "\($0) (errno \($0.rawValue))" }, detail] as [String?])
            .compactMap(\.self).joined(separator: ": ")
    }
}
