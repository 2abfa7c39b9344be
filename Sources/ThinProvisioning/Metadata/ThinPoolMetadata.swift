/// The metadata of a thin pool, read from the metadata device without the kernel.
///
/// It may be read while the pool is active and in use, with no snapshot of the metadata and no message to the pool; then
/// the trees change under the reader. The pool writes to blocks that the last committed state does not refer to, and each
/// commit writes a new superblock that refers to them. So a reader sees one state of the pool until the first commit
/// after it read the superblock. With that commit the pool gives up the blocks that only the state before it had, and may
/// write to them at once: from then on the reader may come upon blocks that belong to something else. Every block is checked for
/// that, and what does not hold together is ``ThinMetadataError/Code/inconsistent``; but not every such block can be
/// told from the right one. So an answer about an active pool is a hint: it may be out of date, and between
/// commits that follow each other fast it may be a mixture. ``isCurrent()`` tells whether there has been a commit, and
/// ``consistently(reading:attempts:_:)`` goes by it.
public struct ThinPoolMetadata: Sendable {
    /// The size of a block of metadata in bytes.
    public static let blockSize = BlockHeaderLayout.blockSize

    /// The superblock as it was when the reading began.
    public let superblock: ThinPoolSuperblock

    let blocks: MetadataBlocks
    private let location: UInt64

    /// Whether this is a snapshot of the metadata, and not the metadata itself.
    public var isSnapshot: Bool { location != 0 }

    /// Reads the superblock.
    ///
    /// - Parameters:
    ///   - source: The blocks of the metadata device.
    ///   - heldRoot: The block of a snapshot of the metadata that the pool holds (`reserve_metadata_snap`), to read that
    ///     instead. It does not change as long as it is held, and has no reference counts.
    /// - Throws: ``ThinMetadataError`` with the code `notAPool`, `inconsistent`, `unreadable` or `notSupported`.
    public init(reading source: any ThinMetadataSource, heldRoot: UInt64? = nil) throws(ThinMetadataError) {
        location = heldRoot ?? 0
        superblock = try ThinPoolSuperblock(location, from: source)
        // A snapshot does not tell; then the device itself ends it.
        blocks = MetadataBlocks(source: source, count: superblock.metadataUsage?.total ?? .max)
    }

    /// Whether the pool has not committed anything since the reading began.
    ///
    /// If so, everything that was read meanwhile belongs to one state of the pool. (It is the superblocks that are compared. In
    /// principle a pool can come back to the very same one.)
    ///
    /// - Throws: ``ThinMetadataError``.
    public func isCurrent() throws(ThinMetadataError) -> Bool {
        try ThinPoolSuperblock(location, from: blocks.source) == superblock
    }

    /// Reads from an active pool until nothing was committed meanwhile.
    ///
    /// - Parameters:
    ///   - source: The blocks of the metadata device.
    ///   - attempts: How often to begin again at the most.
    ///   - body: The work that reads. It is called once for each attempt.
    /// - Returns: The result of `body` from the attempt that no commit overtook.
    /// - Throws: ``ThinMetadataError/Code/inconsistent`` when the last attempt was overtaken or met something that does not
    ///   hold together; other errors at once.
    public static func consistently<Result>(
        reading source: any ThinMetadataSource, attempts: Int = 8, _ body: (ThinPoolMetadata) throws -> Result
    ) throws -> Result {
        for attempt in 1...max(1, attempts) {
            do {
                let metadata = try ThinPoolMetadata(reading: source)
                let result = try body(metadata)
                if try metadata.isCurrent() { return result }
            } catch let error as ThinMetadataError where error.code == .inconsistent && attempt < attempts {
                continue
            }
        }
        throw ThinMetadataError(.inconsistent, "the pool changed its metadata each time while it was read")
    }

    /// The thin devices of the pool, in the order of their numbers.
    ///
    /// - Throws: ``ThinMetadataError``.
    public func devices() throws(ThinMetadataError) -> [ThinDeviceDetails] {
        var devices: [ThinDeviceDetails] = []
        let tree = BTree(
            blocks: blocks, root: superblock.details, valueSize: DeviceDetailsLayout.size,
            keyLimit: UInt64(ThinDeviceID.maximum.value) + 1)
        try narrowingErrors {
            try tree.forEachLeaf { leaf in
                for index in 0..<leaf.count {
                    guard let id = ThinDeviceID(leaf.key(index)) else { continue }
                    devices.append(ThinDeviceDetails(id, leaf.block, at: leaf.offset(index)))
                }
            }
        }
        return devices
    }

    /// Calls `body` with all mappings of a thin device, in the order of its blocks.
    ///
    /// Memory is needed for one block on each level of a tree, however much is mapped.
    ///
    /// - Throws: ``ThinMetadataError``, with the code `noSuchDevice` among others, and what `body` throws.
    public func mappings(of id: ThinDeviceID, _ body: (ThinMapping) throws -> Void) throws {
        var runs = MappingRuns()
        let blocks = superblock.dataUsage?.total ?? Self.dataBlockLimit
        try mappingTree(of: id).forEachLeaf { leaf in
            for index in 0..<leaf.count {
                let (dataBlock, time) = try Self.mapping(leaf, index, below: blocks)
                if let run = runs.append(leaf.key(index), to: dataBlock, time: time) { try body(run) }
            }
        }
        if let run = runs.finish() { try body(run) }
    }

    /// The highest block of a thin device that is mapped; `nil` for one that nothing was ever written to.
    ///
    /// - Throws: ``ThinMetadataError``, with the code `noSuchDevice` among others.
    public func highestBlock(of id: ThinDeviceID) throws(ThinMetadataError) -> UInt64? {
        try mappingTree(of: id).highestKey()
    }

    /// Data blocks have numbers of 40 bits, and thin devices have fewer than 2^57 blocks of the smallest size.
    static let dataBlockLimit: UInt64 = 1 << 40
    static let thinBlockLimit: UInt64 = 1 << 57

    /// The tree of a device's mappings.
    ///
    /// - Parameter visit: Gets the block of each node on the way to its root, in the tree of all devices.
    func mappingTree(
        of id: ThinDeviceID, visit: (UInt64) throws(ThinMetadataError) -> Void = { _ in }
    ) throws(ThinMetadataError) -> BTree {
        let devices = BTree(
            blocks: blocks, root: superblock.mappings, valueSize: NodeLayout.childSize,
            keyLimit: UInt64(ThinDeviceID.maximum.value) + 1)
        guard let (leaf, index) = try devices.find(UInt64(id.value), visit: visit) else {
            throw ThinMetadataError(.noSuchDevice, "the pool has no thin device \(id)")
        }
        return BTree(
            blocks: blocks, root: leaf.value(index), valueSize: PackedMapping.size, keyLimit: Self.thinBlockLimit)
    }

    /// The data block of an entry of a leaf, and the time when it was written.
    static func mapping(
        _ leaf: BTree.Node, _ index: Int, below limit: UInt64
    ) throws(ThinMetadataError) -> (dataBlock: UInt64, time: UInt32) {
        let mapping = PackedMapping(leaf.value(index))
        guard mapping.dataBlock < limit else {
            throw ThinMetadataError(
                .inconsistent, block: leaf.block.number,
                "data block \(mapping.dataBlock) is behind the end of the data device")
        }
        return (mapping.dataBlock, mapping.time)
    }

    /// Runs something that throws nothing else than ``ThinMetadataError``.
    private func narrowingErrors(_ body: () throws -> Void) throws(ThinMetadataError) {
        do {
            try body()
        } catch let error as ThinMetadataError {
            throw error
        } catch {
            throw ThinMetadataError(.unreadable, "\(error)", underlying: error)
        }
    }
}
