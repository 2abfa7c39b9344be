internal import CShims
internal import SystemPackage

/// A block device or file that is read in pages of 4096 bytes, past the page cache where that is possible (`O_DIRECT`).
///
/// What a pool has below itself the kernel writes past the page cache too, so that an ordinary read would find what the
/// device held some time ago.
final class DirectFile: Sendable {
    static let pageSize = 4096

    let path: FilePath
    private let descriptor: FileDescriptor

    init(_ path: FilePath) throws(ThinMetadataError) {
        let direct = FileDescriptor.OpenOptions(rawValue: dmshim_O_DIRECT)
        do {
            self.path = path
            do {
                descriptor = try Self.open(path, direct)
            } catch Errno.invalidArgument {
                // Some file systems say so when the file is opened, some when it is read.
                descriptor = try Self.open(path, [])
            }
        } catch {
            throw ThinMetadataError(.unreadable, "cannot read \(path): \(error)", underlying: error)
        }
    }

    deinit {
        // Nothing was written, so that nothing can be lost.
        try? descriptor.close()
    }

    private static func open(_ path: FilePath, _ options: FileDescriptor.OpenOptions) throws -> FileDescriptor {
        // Not waiting, because the path may lead to a FIFO.
        let descriptor = try FileDescriptor.open(
            path, .readOnly, options: options.union([.closeOnExec, .nonBlocking]))
        do {
            _ = try readPage(0, from: descriptor)
            return descriptor
        } catch {
            try? descriptor.close()
            throw error
        }
    }

    /// Reads a page.
    ///
    /// - Returns: Its bytes; fewer than ``pageSize`` where the device ends.
    func readPage(_ number: UInt64) throws(ThinMetadataError) -> [UInt8] {
        do {
            return try Self.readPage(number, from: descriptor)
        } catch {
            throw ThinMetadataError(.unreadable, block: nil, "cannot read \(path): \(error)", underlying: error)
        }
    }

    private static func readPage(_ number: UInt64, from descriptor: FileDescriptor) throws -> [UInt8] {
        let (offset, overflow) = number.multipliedReportingOverflow(by: UInt64(pageSize))
        guard !overflow, let offset = Int64(exactly: offset) else { return [] }
        // What is read directly must begin at a multiple of the device's blocks, in the memory too.
        return try unsafe withUnsafeTemporaryAllocation(byteCount: pageSize, alignment: pageSize) { buffer in
            let count = try unsafe descriptor.read(fromAbsoluteOffset: offset, into: buffer)
            return unsafe [UInt8](buffer.prefix(count))
        }
    }
}
