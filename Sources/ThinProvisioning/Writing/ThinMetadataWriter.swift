public import SystemPackage

/// Writes a pool's metadata to a device or a file, from nothing.
///
/// The nodes of the trees are packed. A shared part is written once, and the trees of the devices share its leaves; a device
/// that consists of one shared part has the whole tree in common with the others. The superblock is written last. Until
/// then, the output holds no pool.
///
/// Memory is needed for a byte for each data block in use and for some bytes for each leaf, not for the mappings.
public struct ThinMetadataWriter: ThinMetadataVisitor {
    private enum Section {
        case shared(UInt64)
        case device(ThinDeviceDetails)
    }
    private struct Device {
        let details: ThinDeviceDetails
        let mapped: UInt64
        let root: UInt64
    }

    /// The devices whose number of mapped blocks was given wrong; the right one is written.
    public private(set) var corrected: [ThinDeviceID] = []
    /// Whether the output has been changed.
    public private(set) var hasBegun = false
    /// Whether the superblock has been written, after which the metadata is valid.
    public private(set) var isComplete = false
    /// How many blocks of metadata have been written, and how many there are.
    public var usage: ThinPoolSuperblock.Usage {
        ThinPoolSuperblock.Usage(total: tree.output.capacity, used: tree.output.taken)
    }

    private var tree: PackedTree
    private let replacesInPlace: Bool
    private var header: ThinMetadataHeader?
    private var counts = DataBlockCounts(blocks: 0)
    private var parts: [UInt64: MappingLeaves.Result] = [:]
    private var devices: [Device] = []
    private var section: Section?
    private var leaves = MappingLeaves()
    /// The part that the current device consists of so far.
    private var onlyPart: UInt64?
    private var isFirst = true

    /// Opens the output, which is not changed before ``begin(_:)``.
    ///
    /// - Parameter path: A block device that nothing holds, or a file, of the size that the metadata shall have.
    /// - Throws: ``ThinMetadataWriteError`` with the code `unwritable` or `inUse`.
    public init(_ path: FilePath) throws(ThinMetadataWriteError) {
        self.init(try MetadataOutput(path))
    }

    /// - Parameter replacesInPlace: Whether the output writes only to free blocks, so that the old superblock stays until
    ///   the new one replaces it.
    init(_ output: MetadataOutput, replacesInPlace: Bool = false) {
        tree = PackedTree(output)
        self.replacesInPlace = replacesInPlace
    }

    /// Checks the header, and takes away the superblock that is there.
    public mutating func begin(_ pool: ThinMetadataHeader) throws {
        guard pool.blockSectors > 0, pool.blockSectors % 128 == 0, pool.blockSectors <= 1 << 21 else {
            throw invalid("no pool has blocks of \(pool.blockSectors) sectors")
        }
        guard pool.version == 1 || pool.version == 2 else { throw invalid("version \(pool.version) is not known") }
        guard pool.time < 1 << 24 else { throw invalid("the time \(pool.time) does not fit in 24 bits") }
        let bitmaps = (pool.dataBlocks / BitmapLayout.entries) + 1
        guard pool.dataBlocks <= ThinPoolMetadata.dataBlockLimit, bitmaps < MetadataOutput.mostBlocks else {
            throw invalid("\(pool.dataBlocks) data blocks are more than metadata can hold")
        }
        // The superblock, and for each space map a tree of large counts and an index at least.
        guard bitmaps + 7 <= tree.output.capacity else { throw noSpace(bitmaps + 7) }
        header = pool
        counts = DataBlockCounts(blocks: pool.dataBlocks)
        guard !replacesInPlace else { return }
        hasBegun = true
        try tree.output.invalidate()
    }

    /// Begins a part that several devices have.
    public mutating func beginShared(_ name: UInt64) throws {
        guard parts[name] == nil else { throw invalid("the shared part \(name) is defined twice") }
        try begin(.shared(name))
    }

    private mutating func begin(_ section: Section) throws {
        guard header != nil, self.section == nil else { throw invalid("a device or shared part begins within another") }
        self.section = section
        leaves = MappingLeaves()
        (onlyPart, isFirst) = (nil, true)
    }

    /// Ends the part.
    public mutating func endShared() throws {
        guard case .shared(let name)? = section else { throw invalid("no shared part has begun") }
        parts[name] = try leaves.finish(&tree, &counts)
        section = nil
    }

    /// Begins a device.
    public mutating func beginDevice(_ device: ThinDeviceDetails) throws {
        try begin(.device(device))
    }

    /// Ends the device.
    public mutating func endDevice() throws {
        guard case .device(let details)? = section else { throw invalid("no device has begun") }
        section = nil
        let mapped: UInt64
        let root: UInt64
        if let name = onlyPart, let part = parts[name] {
            mapped = part.mapped
            root = try part.root ?? tree.tree(above: part.leaves)
            parts[name]?.root = root
        } else {
            let result = try leaves.finish(&tree, &counts)
            mapped = result.mapped
            root = try tree.tree(above: result.leaves)
        }
        tree.refer(to: root)
        devices.append(Device(details: details, mapped: mapped, root: root))
        if mapped != details.mappedBlocks { corrected.append(details.id) }
    }

    /// Takes mappings.
    public mutating func map(_ run: ThinMapping) throws {
        guard section != nil, let header else { throw invalid("a mapping stands outside of a device") }
        guard !run.thinBlocks.isEmpty else { throw invalid("a run of mappings is empty") }
        guard run.thinBlocks.upperBound <= ThinPoolMetadata.thinBlockLimit else {
            throw invalid("thin block \(run.thinBlocks.upperBound - 1) is behind the end of any device")
        }
        let length = UInt64(run.thinBlocks.count)
        guard run.dataBlock < header.dataBlocks, length <= header.dataBlocks - run.dataBlock else {
            throw invalid(
                "block out of bounds: data block \(run.dataBlock.addingReportingOverflow(length - 1).partialValue) of "
                    + "\(header.dataBlocks)")
        }
        guard run.time < 1 << 24 else { throw invalid("the time \(run.time) does not fit in 24 bits") }
        try leavePart()
        try leaves.add(run, to: &tree, &counts)
        isFirst = false
    }

    /// Takes a shared part.
    public mutating func reference(to name: UInt64) throws {
        guard section != nil else { throw invalid("a reference stands outside of a device") }
        if case .shared(name)? = section { throw invalid("the shared part \(name) refers to itself") }
        guard let part = parts[name] else { throw invalid("no shared part has the name \(name)") }
        if isFirst {
            // Not added before it is known that something follows: otherwise its root can be shared as well.
            (onlyPart, isFirst) = (name, false)
            return
        }
        try leavePart()
        try leaves.add(part, to: &tree, &counts)
    }

    private mutating func leavePart() throws {
        guard let name = onlyPart, let part = parts[name] else { return }
        onlyPart = nil
        try leaves.add(part, to: &tree, &counts)
    }

    /// Writes the trees of devices, the space maps, and the superblock when all of that is on the medium; then gives the
    /// output up.
    public mutating func end() throws {
        guard let header, section == nil, !isComplete else { throw invalid("incomplete source metadata") }
        try removeUnusedParts()
        let devices = devices.sorted { $0.details.id < $1.details.id }
        if let twice = zip(devices, devices.dropFirst()).first(where: { $0.details.id == $1.details.id }) {
            throw invalid("device \(twice.0.details.id) is there twice")
        }
        let keys = devices.map { UInt64($0.details.id.value) }
        let details = try tree.tree(keys: keys, valueSize: DeviceDetailsLayout.size) {
            devices[$0].details.put(in: &$1, at: $2, mapped: devices[$0].mapped)
        }
        let mappings = try tree.tree(keys: keys, valueSize: NodeLayout.childSize) { index, block, offset in
            block.put(devices[index].root, MetadataField<UInt64>(offset))
        }
        tree.refer(to: details)
        tree.refer(to: mappings)
        let data = try tree.dataSpaceMap(counts)
        let metadata = try tree.metadataSpaceMap()
        guard !tree.output.isFull else { throw noSpace(tree.output.taken) }
        let capacity = tree.output.capacity
        try tree.output.finish { block in
            header.put(in: &block)
            data.put(in: &block, at: SuperblockLayout.dataSpaceMap)
            metadata.put(in: &block, at: SuperblockLayout.metadataSpaceMap)
            block.put(mappings, SuperblockLayout.mappings)
            block.put(details, SuperblockLayout.details)
            block.put(capacity, SuperblockLayout.metadataBlocks)
        }
        tree.output.close()
        isComplete = true
    }

    /// The mappings of leaves of shared parts that no tree took are not counted.
    private mutating func removeUnusedParts() throws {
        guard !tree.output.isFull else { return }
        for leaf in Set(parts.values.flatMap { $0.leaves.map(\.block) }) where tree.references[leaf] == 0 {
            let bytes = try tree.output.read(leaf)
            let count = Int(MetadataBlock.number(NodeLayout.count, in: bytes))
            for entry in MappingLeaves.entries(of: bytes, count: count) {
                counts.remove(PackedMapping(entry.value).dataBlock)
            }
        }
    }

    private func invalid(_ detail: String) -> ThinMetadataWriteError { ThinMetadataWriteError(.invalid, detail) }

    private func noSpace(_ needed: UInt64) -> ThinMetadataWriteError {
        ThinMetadataWriteError(
            .noSpace,
            "out of metadata space: \(tree.output.path) has \(tree.output.capacity) blocks of 4 KiB and "
                + "at least \(needed) are needed (\(needed * 4) KiB)")
    }
}

extension ThinMetadataHeader {
    /// Writes the fields of the superblock.
    ///
    /// New metadata needs no check.
    fileprivate func put(in block: inout MutableRawSpan) {
        block.put(flags & ~SuperblockLayout.needsCheck, SuperblockLayout.flags)
        for (index, byte) in uuid.prefix(16).enumerated() {
            block.storeBytes(of: byte, toByteOffset: SuperblockLayout.uuid + index, as: UInt8.self)
        }
        block.put(SuperblockLayout.magicNumber, SuperblockLayout.magic)
        block.put(version, SuperblockLayout.version)
        block.put(time, SuperblockLayout.time)
        block.put(transactionID, SuperblockLayout.transactionID)
        block.put(blockSectors, SuperblockLayout.dataBlockSize)
        block.put(SuperblockLayout.metadataBlockSectors, SuperblockLayout.metadataBlockSize)
    }
}

extension ThinDeviceDetails {
    fileprivate func put(in block: inout MutableRawSpan, at start: Int, mapped: UInt64) {
        block.put(mapped, DeviceDetailsLayout.mappedBlocks, in: start)
        block.put(transactionID, DeviceDetailsLayout.transactionID, in: start)
        block.put(creationTime, DeviceDetailsLayout.creationTime, in: start)
        block.put(snapshottedTime, DeviceDetailsLayout.snapshottedTime, in: start)
    }
}
