internal import CShims
internal import SystemCalls
internal import SystemPackage

/// A metadata device or file that is written: block after block, and the superblock at the end.
///
/// While it is written, block 0 holds a mark instead of a superblock. So nothing takes half of the metadata for a pool,
/// and the kernel, which formats a device that begins with zeros, does not do that either.
@safe final class MetadataOutput {
    /// The most blocks that the format allows: one index block names 255 bitmaps.
    static let mostBlocks = IndexEntryLayout.mostInBlock * BitmapLayout.entries
    private static let blocksInBuffer = 64
    private static let blockSize = BlockHeaderLayout.blockSize

    let path: FilePath
    /// How many blocks there are for metadata.
    let capacity: UInt64
    private let descriptor: FileDescriptor
    private var isOpen = true
    /// Gives the blocks that may be used, in ascending order; `nil` behind the last.
    private let nextFree: (UInt64) -> UInt64?
    private let buffer: UnsafeMutableRawBufferPointer
    private var bufferedFrom: UInt64 = 0
    private var buffered = 0
    private var last: UInt64 = 0
    /// How many blocks have been asked for; more than there are where the device is too small.
    private(set) var taken: UInt64 = 1
    /// Whether there were too few blocks, so that nothing is written any more and blocks are only counted.
    private(set) var isFull = false

    /// Opens the output.
    ///
    /// - Parameters:
    ///   - path: A block device, which is claimed, or a file.
    ///   - nextFree: Gives the next block that may be written behind one; without it, all behind block 0.
    init(_ path: FilePath, nextFree: ((UInt64) -> UInt64?)? = nil) throws(ThinMetadataWriteError) {
        self.path = path
        let (descriptor, size) = try Self.open(path)
        self.descriptor = descriptor
        let capacity = min(size / UInt64(Self.blockSize), Self.mostBlocks)
        self.capacity = capacity
        self.nextFree = nextFree ?? { $0 + 1 < capacity ? $0 + 1 : nil }
        unsafe buffer = .allocate(byteCount: Self.blocksInBuffer * Self.blockSize, alignment: Self.blockSize)
    }

    deinit {
        unsafe buffer.deallocate()
        close()
    }

    /// Gives the device up, so that a pool can be activated on it.
    func close() {
        guard isOpen else { return }
        isOpen = false
        // `finish` has flushed what was written; without it the output is not used.
        try? descriptor.close()
    }

    private static func open(_ path: FilePath) throws(ThinMetadataWriteError) -> (FileDescriptor, size: UInt64) {
        do {
            let status = try Stat(path)
            guard status.type == .blockSpecial || status.type == .regular else {
                throw ThinMetadataWriteError(.unwritable, "\(path) is neither a block device nor a file")
            }
            var options: FileDescriptor.OpenOptions = [.closeOnExec, .nonBlocking]
            if status.type == .blockSpecial {
                // Past the page cache, as the kernel reads it; and not while anything holds the device.
                options.formUnion([.exclusiveCreate, .init(rawValue: dmshim_O_DIRECT)])
            }
            let descriptor = try FileDescriptor.open(path, .readWrite, options: options)
            do {
                var size: UInt64 = 0
                if status.type == .blockSpecial {
                    try requireSuccess(unsafe dmshim_block_size(descriptor.rawValue, &size))
                } else {
                    size = UInt64(max(0, try Stat(descriptor).size))
                }
                return (descriptor, size)
            } catch {
                try? descriptor.close()  // The error before matters.
                throw error
            }
        } catch let error as ThinMetadataWriteError {
            throw error
        } catch Errno.resourceBusy {
            throw ThinMetadataWriteError(
                .inUse, "\(path) is in use: a pool, another mapping or a mount holds it; deactivate that first")
        } catch {
            throw ThinMetadataWriteError(.unwritable, "cannot open \(path) for writing: \(error)")
        }
    }

    /// Writes a block at the next free place.
    ///
    /// - Parameters:
    ///   - kind: The kind of the block.
    ///   - fill: Fills the block, which is zero before; number and checksum are added.
    /// - Returns: The number of the block.
    func append(
        _ kind: MetadataBlock.Kind, _ fill: (inout MutableRawSpan) -> Void
    ) throws(ThinMetadataWriteError) -> UInt64 {
        taken += 1
        guard !isFull, let number = nextFree(last) else {
            isFull = true
            guard taken <= Self.mostBlocks else {
                throw ThinMetadataWriteError(
                    .noSpace, "the metadata needs more than \(Self.mostBlocks) blocks, the most that a pool can have")
            }
            last = max(last + 1, capacity)
            return last
        }
        last = number
        if buffered == Self.blocksInBuffer || (buffered > 0 && number != bufferedFrom + UInt64(buffered)) {
            try writeBuffer()
        }
        if buffered == 0 { bufferedFrom = number }
        let start = buffered * Self.blockSize
        let place = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + Self.blockSize])
        unsafe Self.encode(number, kind, in: place, fill)
        buffered += 1
        return number
    }

    /// The blocks that the next calls of ``append(_:_:)`` will use.
    func reserve(_ count: Int) -> [UInt64] {
        var (blocks, block): ([UInt64], UInt64) = ([], last)
        while !isFull, blocks.count < count, let next = nextFree(block) {
            blocks.append(next)
            block = next
        }
        return blocks
    }

    private static func encode(
        _ number: UInt64, _ kind: MetadataBlock.Kind, in place: UnsafeMutableRawBufferPointer,
        _ fill: (inout MutableRawSpan) -> Void
    ) {
        unsafe place.initializeMemory(as: UInt8.self, repeating: 0)
        var block = unsafe place.mutableBytes
        fill(&block)
        block.put(number, BlockHeaderLayout.number)
        let checksum = CRC32C.checksum(block.bytes.extracting(BlockHeaderLayout.checkedFrom..<blockSize))
        block.put(checksum ^ kind.rawValue, BlockHeaderLayout.checksum)
    }

    /// Reads a block that has been written.
    func read(_ number: UInt64) throws(ThinMetadataWriteError) -> [UInt8] {
        if buffered > 0, number >= bufferedFrom, number < bufferedFrom + UInt64(buffered) {
            let start = Int(number - bufferedFrom) * Self.blockSize
            return unsafe [UInt8](buffer[start..<start + Self.blockSize])
        }
        do {
            return try unsafe withUnsafeTemporaryAllocation(
                byteCount: Self.blockSize, alignment: Self.blockSize
            ) { place in
                let count = try unsafe descriptor.read(
                    fromAbsoluteOffset: Int64(number) * Int64(Self.blockSize), into: place)
                guard count == Self.blockSize else { throw Errno.ioError }
                return unsafe [UInt8](place)
            }
        } catch {
            throw ThinMetadataWriteError(.unwritable, "cannot read \(path) again: \(error)")
        }
    }

    private func writeBuffer() throws(ThinMetadataWriteError) {
        guard buffered > 0 else { return }
        try unsafe write(UnsafeRawBufferPointer(rebasing: buffer[..<(buffered * Self.blockSize)]), at: bufferedFrom)
        buffered = 0
    }

    private func write(_ bytes: UnsafeRawBufferPointer, at block: UInt64) throws(ThinMetadataWriteError) {
        do {
            let start = Int64(block) * Int64(Self.blockSize)
            var done = 0
            while done < bytes.count {
                done += try unsafe descriptor.write(
                    toAbsoluteOffset: start + Int64(done), UnsafeRawBufferPointer(rebasing: bytes[done...]))
            }
        } catch {
            throw ThinMetadataWriteError(.unwritable, "cannot write \(path): \(error)")
        }
    }

    private func flush() throws(ThinMetadataWriteError) {
        do {
            try systemCall { fsync(descriptor.rawValue) }
        } catch {
            throw ThinMetadataWriteError(.unwritable, "cannot write \(path): \(error)")
        }
    }

    /// Makes the metadata that is there unusable, before the first block is overwritten.
    func invalidate() throws(ThinMetadataWriteError) {
        guard capacity > 0 else { return }
        var mark = Array("dmlayer has not completed this metadata.\n".utf8)
        mark += [UInt8](repeating: 0, count: Self.blockSize - mark.count)
        try writeFirst { block in
            for (index, byte) in mark.enumerated() { block.storeBytes(of: byte, toByteOffset: index, as: UInt8.self) }
        }
    }

    /// Writes the superblock, when everything else is on the medium.
    func finish(_ fill: (inout MutableRawSpan) -> Void) throws(ThinMetadataWriteError) {
        try writeBuffer()
        try flush()
        try writeFirst { block in
            fill(&block)
            let checksum = CRC32C.checksum(block.bytes.extracting(BlockHeaderLayout.checkedFrom..<Self.blockSize))
            block.put(checksum ^ MetadataBlock.Kind.superblock.rawValue, BlockHeaderLayout.checksum)
        }
    }

    private func writeFirst(_ fill: (inout MutableRawSpan) -> Void) throws(ThinMetadataWriteError) {
        let place = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<Self.blockSize])
        unsafe place.initializeMemory(as: UInt8.self, repeating: 0)
        var block = unsafe place.mutableBytes
        fill(&block)
        try unsafe write(UnsafeRawBufferPointer(place), at: 0)
        try flush()
    }
}

extension MutableRawSpan {
    /// Writes the number of a field of the block, or of a structure that begins `start` bytes behind its beginning.
    mutating func put<Value>(_ value: Value, _ field: MetadataField<Value>, in start: Int = 0) {
        storeBytes(of: value.littleEndian, toByteOffset: start + field.offset, as: Value.self)
    }
}
