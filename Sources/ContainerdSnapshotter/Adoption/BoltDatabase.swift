internal import LayerStore
internal import SystemCalls
internal import SystemPackage

/// A database of bbolt on the disk, which no other program can open as long as this object lives.
///
/// bbolt takes an exclusive lock on the file (`flock`) and waits for it. So a containerd that starts meanwhile waits as well.
final class BoltDatabase {
    /// The content of the file.
    let content: BoltFile
    private let descriptor: FileDescriptor

    /// containerd's databases have some megabytes.
    private static let largest = 256 << 20

    /// Opens a file for reading, and takes its lock.
    ///
    /// - Throws: ``LayerStoreError/Code/busy`` while containerd has it open; ``LayerStoreError/Code/damagedMetadata``.
    init(_ path: FilePath) throws(LayerStoreError) {
        let opened: FileDescriptor
        do {
            opened = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .nonBlocking])
        } catch {
            throw LayerStoreError(.failed, "cannot open \(path): \(error)", underlying: error)
        }
        do {
            let file = opened.rawValue
            try systemCall { flock(file, LOCK_EX | LOCK_NB) }
            content = try BoltFile(Self.read(opened))
        } catch {
            // A close cannot lose data of a file that was only read. The first failure is the one to report.
            try? opened.close()
            throw Self.refusal(path, error)
        }
        descriptor = opened
    }

    deinit {
        // Nothing was written through it.
        try? descriptor.close()
    }

    private static func read(_ file: FileDescriptor) throws -> [UInt8] {
        var status = stat()
        try systemCall { unsafe fstat(file.rawValue, &status) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw BoltError("it is no regular file") }
        guard status.st_size <= largest else { throw BoltError("it has more than \(largest >> 20) MiB") }
        var bytes = [UInt8](repeating: 0, count: Int(status.st_size))
        var count = 0
        while count < bytes.count {
            let read = try unsafe bytes.withUnsafeMutableBytes {
                try unsafe file.read(fromAbsoluteOffset: Int64(count), into: .init(rebasing: $0[count...]))
            }
            guard read > 0 else { throw BoltError("it has become shorter while it was read") }
            count += read
        }
        return bytes
    }

    private static func refusal(_ path: FilePath, _ error: any Error) -> LayerStoreError {
        switch error {
        case Errno.wouldBlock:
            LayerStoreError(
                .busy, "\(path) is in use: containerd runs. Stop it first, with “systemctl stop containerd”",
                underlying: error)
        case let error as BoltError: damage(path, error)
        default: LayerStoreError(.failed, "cannot read \(path): \(error)", underlying: error)
        }
    }

    /// The error for a file whose content is not understood.
    static func damage(_ path: FilePath, _ error: BoltError) -> LayerStoreError {
        LayerStoreError(
            .damagedMetadata, "\(path) cannot be understood: \(error). Nothing was changed", underlying: error)
    }
}
