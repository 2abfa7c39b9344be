internal import CShims
internal import SystemPackage

/// A block device or file that is read in pages of 4096 bytes, a block device past the page cache (`O_DIRECT`).
///
/// The kernel writes the devices below a pool past the page cache too. An ordinary read of such a device would find old
/// content in the cache. A file below a loop device has no such second copy: its file system drops from the cache what is
/// written past it.
final class DirectFile: Sendable {
    static let pageSize = 4096

    let path: FilePath
    private let descriptor: FileDescriptor

    init(_ path: FilePath) throws(ThinMetadataError) {
        let direct = FileDescriptor.OpenOptions(rawValue: dmshim_O_DIRECT)
        do {
            self.path = path
            do {
                let isFile = try Stat(path).type == .regular
                descriptor = try Self.open(path, isFile ? [] : direct)
            } catch Errno.invalidArgument {
                // Some devices say so when they are opened, some when they are read.
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

    /// How many whole pages there are.
    func pageCount() throws(ThinMetadataError) -> UInt64 {
        do {
            return UInt64(max(0, try descriptor.seek(offset: 0, from: .end))) / UInt64(Self.pageSize)
        } catch {
            throw ThinMetadataError(.unreadable, "cannot tell the size of \(path): \(error)", underlying: error)
        }
    }

    /// Reads pages into memory that begins at a multiple of the size of a page.
    ///
    /// - Returns: How many whole pages were read; fewer than fit into `buffer` where the device ends.
    @unsafe func readPages(from number: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        let (offset, overflow) = number.multipliedReportingOverflow(by: UInt64(Self.pageSize))
        guard !overflow, let offset = Int64(exactly: offset) else { return 0 }
        var filled = 0
        while filled < buffer.count {
            let count = try unsafe descriptor.read(
                fromAbsoluteOffset: offset + Int64(filled),
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
            if count == 0 { break }
            filled += count
            if filled % Self.pageSize != 0 { break }
        }
        return filled / Self.pageSize
    }

    private static func open(_ path: FilePath, _ options: FileDescriptor.OpenOptions) throws -> FileDescriptor {
        // Not waiting, because the path may lead to a FIFO.
        let descriptor = try FileDescriptor.open(
            path, .readOnly, options: options.union([.closeOnExec, .nonBlocking]))
        do {
            _ = try readPage(0, from: descriptor)
            return descriptor
        } catch {
            // Nothing was written, so that nothing can be lost.
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
        // A direct read must begin at a multiple of the device's blocks, in the memory too.
        return try unsafe withUnsafeTemporaryAllocation(byteCount: pageSize, alignment: pageSize) { buffer in
            let count = try unsafe descriptor.read(fromAbsoluteOffset: offset, into: buffer)
            return unsafe [UInt8](buffer.prefix(count))
        }
    }
}
