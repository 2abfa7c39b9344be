internal import SystemCalls
public import SystemPackage

/// Changes of metadata on its own device.
///
/// Each leaves, if the power fails in it, the metadata from before or from after it.
///
/// The new trees are written to free blocks, and the superblock is replaced when they are on the medium. Of the superblock only
/// the first sector has content, so that it cannot be replaced in part.
public enum MetadataReplacement {
    /// The change that ``renewClock(of:backup:check:)`` has made.
    public struct ClockChange: Hashable, Sendable {
        /// The pool's time before.
        public let before: UInt32
        /// The pool's time now.
        public let after: UInt32

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(before: UInt32, after: UInt32) {
            self.before = before
            self.after = after
        }
    }

    /// Takes away the mark that the metadata must be checked.
    ///
    /// - Parameters:
    ///   - path: The metadata device of an inactive pool, or a file.
    ///   - check: Checks the metadata, and throws where it is not right.
    /// - Returns: Whether the mark was there.
    /// - Throws: ``ThinMetadataError``, ``ThinMetadataWriteError``, and what `check` throws.
    public static func clearNeedsCheck(of path: FilePath, check: (FilePath) throws -> Void) throws -> Bool {
        let output = try MetadataOutput(path)
        guard try ThinPoolSuperblock(0, from: ThinMetadataDevice(path)).needsCheck else { return false }
        try check(path)
        let bytes = try output.read(0)
        let flags: UInt32 = MetadataBlock.number(SuperblockLayout.flags, in: bytes)
        try output.finish { block in
            for (index, byte) in bytes.enumerated() { block.storeBytes(of: byte, toByteOffset: index, as: UInt8.self) }
            block.put(flags & ~SuperblockLayout.needsCheck, SuperblockLayout.flags)
        }
        return true
    }

    /// Repairs metadata in its place.
    ///
    /// - Parameters:
    ///   - path: The damaged metadata of an inactive pool.
    ///   - backup: A new file, to which all of the device is copied first; `nil` makes none.
    ///   - repair: The search of the device, which has decided what to keep.
    /// - Returns: The numbers of saved and lost mappings of each device.
    /// - Throws: ``ThinMetadataWriteError``, with the code `noSpace` where too few blocks are left beside the trees.
    @discardableResult
    public static func repair(
        _ path: FilePath, backup: FilePath?, _ repair: ThinMetadataRepair
    ) throws -> [ThinMetadataRepair.Device] {
        try replace(path, backup: backup, keeping: usedBlocks(path, repair)) { writer in
            try repair.walk(into: &writer)
        }
    }

    /// Numbers the times of a pool anew, so that it can make snapshots again whose number fits in 24 bits.
    ///
    /// The kernel takes a block of a device for shared if the device's last snapshot was made after the block's time. It never
    /// compares anything else. So the times of the snapshots get the numbers from 1 on, in their order, and each mapping
    /// the number of the last snapshot of any device that was not made after it: all answers stay as they were.
    ///
    /// - Parameters:
    ///   - path: The metadata device of an inactive pool, or a file. A snapshot of the metadata that it holds goes away.
    ///   - backup: A new file, to which all of the device is copied first.
    ///   - check: Checks the metadata, and throws where it is not right.
    /// - Returns: The pool's time before and after.
    /// - Throws: ``ThinMetadataError``; ``ThinMetadataWriteError``, with the code `noSpace` where the metadata has too few free
    ///   blocks; and what `check` throws.
    public static func renewClock(
        of path: FilePath, backup: FilePath, check: (FilePath) throws -> Void = { _ in }
    ) throws -> ClockChange {
        try check(path)
        guard try !ThinPoolSuperblock(0, from: ThinMetadataDevice(path)).needsCheck else {
            throw ThinMetadataWriteError(.invalid, "the metadata must be checked first (needs_check)")
        }
        let found = try ThinMetadataRepair(path)
        guard found.isCurrent, found.isWhole else {
            throw ThinMetadataWriteError(.invalid, "the metadata is damaged; repair it first")
        }
        guard found.header.time < 1 << 24 else {
            throw ThinMetadataWriteError(
                .invalid, "the pool has made 2^24 snapshots, and mappings since then have wrong block numbers")
        }
        let clock = RenewedClock(found.devices.map(\.details.snapshottedTime))
        try replace(path, backup: backup, keeping: usedBlocks(path, found)) { writer in
            var renewal = ClockRenewal(writer: writer, clock: clock)
            try found.walk(into: &renewal)
            writer = renewal.writer
        }
        return ClockChange(before: found.header.time, after: clock.now)
    }

    /// The blocks of the state that was found and of the superblock's own state, which must outlast a power failure.
    private static func usedBlocks(_ path: FilePath, _ found: ThinMetadataRepair) throws -> Set<UInt64> {
        // A superblock that cannot be read has no state.
        guard let metadata = try? ThinPoolMetadata(reading: ThinMetadataDevice(path)) else { return found.usedBlocks() }
        return try found.usedBlocks().union(ThinMetadataCheck.usedBlocks(of: metadata))
    }

    /// Runs `body` with a writer that takes other blocks than those that are kept.
    private static func replace<Result>(
        _ path: FilePath, backup: FilePath?, keeping kept: Set<UInt64>,
        _ body: (inout ThinMetadataWriter) throws -> Result
    ) throws -> Result {
        var end: UInt64 = 0
        let output = try MetadataOutput(path) { block in
            var next = block + 1
            while next < end, kept.contains(next) { next += 1 }
            return next < end ? next : nil
        }
        end = output.capacity
        if let backup { try copy(path, to: backup) }
        var writer = ThinMetadataWriter(output, replacesInPlace: true)
        return try body(&writer)
    }

    /// Copies all of a device to a new file, with holes where it is zero.
    ///
    /// The file gets its name when it is complete.
    private static func copy(_ path: FilePath, to backup: FilePath) throws {
        let input = try ScanInput(path)
        let directory = backup.removingLastComponent()
        let partial = directory.appending(".dmlayer-" + String(UInt64.random(in: .min ... .max), radix: 16))
        do {
            let file = try FileDescriptor.open(
                partial, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
            defer { _ = unsafe unlink(partial.string) }
            try file.closeAfter {
                try systemCall { ftruncate(file.rawValue, Int(input.count) * BlockHeaderLayout.blockSize) }
                var failure: (any Error)?
                input.forEachBlock { number, block in
                    guard failure == nil else { return }
                    do {
                        try unsafe block.withUnsafeBytes { bytes in
                            guard unsafe bytes.contains(where: { $0 != 0 }) else { return }
                            _ = try unsafe file.writeAll(
                                toAbsoluteOffset: Int64(number) * Int64(BlockHeaderLayout.blockSize), bytes)
                        }
                    } catch {
                        failure = error
                    }
                }
                if let failure { throw failure }
                try systemCall { fsync(file.rawValue) }
            }
            // Unlike rename(2), this replaces nothing.
            try systemCall { unsafe link(partial.string, backup.string) }
            // The name must be on the medium as well.
            let parent = try FileDescriptor.open(directory.isEmpty ? "." : directory, .readOnly, options: .closeOnExec)
            try parent.closeAfter { _ = try systemCall { fsync(parent.rawValue) } }
        } catch {
            throw ThinMetadataWriteError(.unwritable, "cannot write the backup \(backup): \(error)")
        }
    }
}

/// Numbers for times, in which all comparisons with the time of a snapshot come out as before.
struct RenewedClock {
    /// The times of snapshots, in order; each has its place, from 1 on, as its new number.
    private let snapshots: [UInt32]

    init(_ snapshots: [UInt32]) {
        self.snapshots = Set(snapshots).sorted()
    }

    /// The pool's new time.
    var now: UInt32 { UInt32(snapshots.count) }

    /// The new number of a time: how many times of snapshots are not after it.
    func renewed(_ time: UInt32) -> UInt32 {
        var (low, high) = (0, snapshots.count)
        while low < high {
            let middle = (low + high) / 2
            if snapshots[middle] <= time { low = middle + 1 } else { high = middle }
        }
        return UInt32(low)
    }
}

/// Hands content on with renewed times.
private struct ClockRenewal: ThinMetadataVisitor {
    var writer: ThinMetadataWriter
    let clock: RenewedClock

    mutating func begin(_ pool: ThinMetadataHeader) throws {
        var pool = pool
        pool.time = clock.now
        try writer.begin(pool)
    }

    mutating func beginShared(_ name: UInt64) throws { try writer.beginShared(name) }
    mutating func endShared() throws { try writer.endShared() }

    mutating func beginDevice(_ device: ThinDeviceDetails) throws {
        try writer.beginDevice(
            ThinDeviceDetails(
                id: device.id, mappedBlocks: device.mappedBlocks, transactionID: device.transactionID,
                creationTime: clock.renewed(device.creationTime),
                snapshottedTime: clock.renewed(device.snapshottedTime)))
    }

    mutating func endDevice() throws { try writer.endDevice() }

    mutating func map(_ run: ThinMapping) throws {
        try writer.map(
            ThinMapping(thinBlocks: run.thinBlocks, dataBlock: run.dataBlock, time: clock.renewed(run.time)))
    }

    mutating func reference(to name: UInt64) throws { try writer.reference(to: name) }
    mutating func end() throws { try writer.end() }
}
