internal import BlockDevices
internal import DeviceMapper
internal import SystemPackage
internal import ThinProvisioning

/// Gives back the parts of a pool's data file that no thin device has.
struct TrimDataFile {
    let core: StoreCore

    /// How much is given back while the pool stands still, in bytes.
    private static let slice: UInt64 = 256 << 20

    /// Gives back the parts of the data file that no thin device has.
    ///
    /// A pool that goes on may take any free block at any moment. So it is suspended for each slice, and the free blocks are
    /// read anew before that slice is given back. No other operation is in the store in such a moment.
    ///
    /// - Returns: How many bytes.
    func run() throws -> UInt64 {
        _ = try core.readingPoolIfActive { try core.pool.backing.requireFiles(of: $0) }
        let file = try SparseFile(core.directory.dataFile)
        var given: UInt64 = 0
        for slice in try Self.slices(of: unusedData(in: file)) {
            // The pool may have been taken down since; then there is nothing to stop.
            guard let bytes = try whileStill({ try giveBack(slice, of: file, in: $0) }) else { return given }
            given += bytes
        }
        return given
    }

    /// The byte ranges that the file has on the disk and no thin device has.
    private func unusedData(in file: SparseFile) throws -> [Range<UInt64>] {
        do {
            return try StoreSession.run(in: core) { session, _ in
                try ThinPoolMetadata.consistently(reading: core.pool.metadataDevice(of: session.pool)) {
                    try unusedData(in: file, session.pool, $0)
                }
            }
        } catch let error as ThinMetadataError where error.code == .inconsistent {
            // Layers come and go faster than it can be read.
            return try whileStill { pool in
                try unusedData(in: file, pool, ThinPoolMetadata(reading: core.pool.metadataDevice(of: pool)))
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
        let metadata = try ThinPoolMetadata(reading: core.pool.metadataDevice(of: pool))
        let blockSize = pool.blockSize.bytes
        var given: UInt64 = 0
        for range in slice {
            // The pool may have taken some of these blocks since they were found.
            let blocks = range.lowerBound / blockSize..<(range.upperBound + blockSize - 1) / blockSize
            try metadata.unusedDataBlocks(in: blocks) { blocks in
                let unused = (blocks.lowerBound * blockSize..<blocks.upperBound * blockSize).clamped(to: range)
                try file.punch(unused)
                given += unused.upperBound - unused.lowerBound
            }
        }
        return given
    }

    /// Runs `body` while the pool is suspended and no other operation is in the store.
    ///
    /// - Returns: `nil` when the pool is not active.
    private func whileStill<Result>(_ body: (ThinPool) throws -> Result) throws -> Result? {
        try StoreSession.runAlone(in: core) { _, holder in
            guard let pool = try core.pool.active() else { return nil }
            // A monitor is not kept out by having the store alone, and could have the pool go on.
            return try core.changingTables(holder) { _ in
                // Without freezing file systems: their writes wait, and nothing else is done to them.
                try pool.control.whileSuspended(.number(pool.number), options: [.skipLockFS, .noFlush]) {
                    try body(pool)
                }
            }
        }
    }
}
