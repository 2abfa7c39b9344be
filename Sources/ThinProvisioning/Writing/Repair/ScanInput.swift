internal import CShims
internal import Synchronization
internal import SystemCalls
internal import SystemPackage

/// A damaged metadata device or file, of which some blocks may be unreadable.
final class ScanInput: ThinMetadataSource {
    private static let blockSize = BlockHeaderLayout.blockSize
    private static let blocksAtOnce = 64
    private static let windows = 16

    private struct Window {
        var first = UInt64.max
        var bytes: [UInt8] = []
    }

    let path: FilePath
    /// How many whole blocks there are.
    let count: UInt64
    private let descriptor: FileDescriptor
    private let cache = Mutex([Window](repeating: Window(), count: windows))

    init(_ path: FilePath) throws(ThinMetadataError) {
        self.path = path
        do {
            let status = try Stat(path)
            guard status.type == .blockSpecial || status.type == .regular else { throw Errno.notSupported }
            var options: FileDescriptor.OpenOptions = [.closeOnExec, .nonBlocking]
            if status.type == .blockSpecial { options.insert(.init(rawValue: dmshim_O_DIRECT)) }
            descriptor = try .open(path, .readOnly, options: options)
            var size = UInt64(max(0, status.size))
            if status.type == .blockSpecial {
                try requireSuccess(unsafe dmshim_block_size(descriptor.rawValue, &size))
            }
            count = size / UInt64(Self.blockSize)
        } catch {
            throw ThinMetadataError(.unreadable, "cannot read \(path): \(error)", underlying: error)
        }
    }

    deinit {
        // Nothing was written, so that nothing can be lost.
        try? descriptor.close()
    }

    /// Calls `body` with each block that can be read.
    func forEachBlock(_ body: (UInt64, RawSpan) -> Void) {
        unsafe withUnsafeTemporaryAllocation(
            byteCount: Self.blocksAtOnce * Self.blockSize, alignment: Self.blockSize
        ) { buffer in
            var first: UInt64 = 0
            while first < count {
                let wanted = Int(min(UInt64(Self.blocksAtOnce), count - first))
                for index in 0..<wanted {
                    let place = unsafe UnsafeMutableRawBufferPointer(
                        rebasing: buffer[index * Self.blockSize..<(index + 1) * Self.blockSize])
                    // All at once; where that fails, one by one.
                    if index == 0,
                        unsafe read(
                            first,
                            into: UnsafeMutableRawBufferPointer(
                                rebasing: buffer[..<(wanted * Self.blockSize)]))
                    {
                        for index in 0..<wanted {
                            let block = unsafe UnsafeRawBufferPointer(
                                rebasing: buffer[index * Self.blockSize..<(index + 1) * Self.blockSize])
                            body(first + UInt64(index), unsafe block.bytes)
                        }
                        break
                    }
                    if unsafe read(first + UInt64(index), into: place) {
                        body(first + UInt64(index), unsafe UnsafeRawBufferPointer(place).bytes)
                    }
                }
                first += UInt64(wanted)
            }
        }
    }

    private func read(_ block: UInt64, into place: UnsafeMutableRawBufferPointer) -> Bool {
        var done = 0
        while done < place.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: place[done...])
            // A block that cannot be read is lost, for whatever reason.
            let count = try? unsafe descriptor.read(
                fromAbsoluteOffset: Int64(block) * Int64(Self.blockSize) + Int64(done), into: rest)
            guard let count, count > 0 else { return false }
            done += count
        }
        return true
    }

    /// Reads a block, together with those around it.
    func readBlock(_ number: UInt64) throws -> [UInt8] {
        guard number < count else { throw Errno.invalidArgument }
        let size = UInt64(16)
        let first = number / size * size
        let slot = Int(number / size) % Self.windows
        return try cache.withLock { windows in
            if windows[slot].first != first {
                let length = Int(min(size, count - first)) * Self.blockSize
                let bytes = unsafe withUnsafeTemporaryAllocation(byteCount: length, alignment: Self.blockSize) {
                    place in
                    unsafe read(first, into: place) ? [UInt8](place) : nil
                }
                guard let bytes else { return try readAlone(number) }
                windows[slot] = Window(first: first, bytes: bytes)
            }
            let start = Int(number - first) * Self.blockSize
            return Array(windows[slot].bytes[start..<start + Self.blockSize])
        }
    }

    private func readAlone(_ number: UInt64) throws -> [UInt8] {
        try unsafe withUnsafeTemporaryAllocation(byteCount: Self.blockSize, alignment: Self.blockSize) { place in
            guard unsafe read(number, into: place) else { throw Errno.ioError }
            return unsafe [UInt8](place)
        }
    }
}
