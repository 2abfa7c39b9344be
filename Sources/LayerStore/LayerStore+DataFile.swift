internal import BlockDevices
internal import DeviceMapper
internal import SystemPackage
internal import ThinProvisioning

/// Giving back what the data file of a pool has on the disk and the pool does not use.
extension LayerStore {
    /// How much is given back while the pool stands still, in bytes.
    private static let slice: UInt64 = 256 << 20

    /// Gives back the parts of the data file that no thin device has.
    ///
    /// A pool that goes on may take any free block at any moment. So it is suspended for each slice, and what is free is
    /// read anew before that slice is given back. Nobody else works on the store in such a moment.
    ///
    /// - Returns: How many bytes.
    func trimDataFile() throws -> UInt64 {
        if let pool = try activePool() { try requireFiles(of: pool) }
        let file = try SparseFile(directory.dataFile)
        var given: UInt64 = 0
        for slice in try Self.slices(of: unusedData(in: file)) {
            // Somebody may have taken the pool down since; then there is nothing to stop.
            guard let bytes = try whileStill({ try giveBack(slice, of: file, in: $0) }) else { return given }
            given += bytes
        }
        return given
    }

    /// The byte ranges that the file has on the disk and no thin device has.
    private func unusedData(in file: SparseFile) throws -> [Range<UInt64>] {
        do {
            return try withPool(layers: []) { pool, _ in
                try ThinPoolMetadata.consistently(reading: metadataDevice(of: pool)) {
                    try unusedData(in: file, pool, $0)
                }
            }
        } catch let error as ThinMetadataError where error.code == .inconsistent {
            // Layers come and go faster than it can be read.
            return try whileStill { pool in
                try unusedData(in: file, pool, ThinPoolMetadata(reading: metadataDevice(of: pool)))
            } ?? []
        }
    }

    private func unusedData(
        in file: SparseFile, _ pool: ThinPool, _ metadata: ThinPoolMetadata
    ) throws -> [Range<UInt64>] {
        let blockSize = pool.blockSize.bytes
        var ranges: [Range<UInt64>] = []
        try metadata.unusedDataBlocks { blocks in
            var offset = blocks.lowerBound * blockSize
            let end = blocks.upperBound * blockSize
            // In whole blocks, for those are what the pool takes.
            while let data = try file.data(from: offset), data.lowerBound < end {
                let first = data.lowerBound / blockSize * blockSize
                offset = min((data.upperBound + blockSize - 1) / blockSize * blockSize, end)
                ranges.append(max(first, blocks.lowerBound * blockSize)..<offset)
            }
        }
        return ranges
    }

    /// Divides ranges into groups that are given back together.
    private static func slices(of ranges: [Range<UInt64>]) -> [[Range<UInt64>]] {
        var slices: [[Range<UInt64>]] = []
        var room: UInt64 = 0
        for range in ranges {
            for start in stride(from: range.lowerBound, to: range.upperBound, by: Int(slice)) {
                let piece = start..<min(start + slice, range.upperBound)
                let size = piece.upperBound - piece.lowerBound
                if slices.isEmpty || size > room {
                    slices.append([])
                    room = slice
                }
                slices[slices.count - 1].append(piece)
                room -= size
            }
        }
        return slices
    }

    private func giveBack(_ slice: [Range<UInt64>], of file: SparseFile, in pool: ThinPool) throws -> UInt64 {
        let metadata = try ThinPoolMetadata(reading: metadataDevice(of: pool))
        let blockSize = pool.blockSize.bytes
        var given: UInt64 = 0
        for range in slice
        where try metadata.isUnused(range.lowerBound / blockSize..<(range.upperBound + blockSize - 1) / blockSize) {
            try file.punch(range)
            given += range.upperBound - range.lowerBound
        }
        return given
    }

    /// Runs `body` while the pool is suspended and nobody else works on the store.
    ///
    /// - Returns: `nil` when the pool is not active.
    private func whileStill<Result>(_ body: (ThinPool) throws -> Result) throws -> Result? {
        let holder = try lock.open()
        try isolate(holder)
        // A monitor is not kept out by that, and would have the pool go on.
        try holder.lock(.capacity, exclusively: true)
        guard let pool = try activePool() else { return nil }
        try allocator.beginUnsafe(holder)
        let device = DeviceReference.number(pool.number)
        let result: Result
        do {
            // Without freezing file systems: what they write waits, and nothing else is done to them.
            try pool.control.suspendDevice(device, options: [.skipFreeze, .noFlush])
            result = try body(pool)
            try pool.control.resumeDevice(device)
            Control.letDeferredRequestsThrough()
        } catch {
            // Also after a suspend that failed: the kernel may have got half way. Where this fails the recovery does it.
            _ = try? pool.control.resumeDevice(device)
            throw error
        }
        try allocator.endUnsafe(holder)
        return result
    }
}
