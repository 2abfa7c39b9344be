/// Checks the metadata of a pool: whether it holds together, and whether every reference count is right.
///
/// Nothing is written. The metadata must not change meanwhile: the pool is not active, or the check is of a snapshot of the
/// metadata that the pool holds; of such a snapshot no counts can be checked.
public struct ThinMetadataCheck {
    /// How much is checked.
    public enum Level: Sendable {
        /// Only the superblock.
        case superblock
        /// The descriptions of the devices, and nothing that belongs to mappings.
        case devices
        /// Everything.
        case full
    }

    let blocks: MetadataBlocks
    let superblock: ThinPoolSuperblock
    let isSnapshot: Bool
    private var detailsRoot: UInt64
    private var mappingRoot: UInt64
    var report: ThinMetadataReport
    var uses: BlockUses
    /// The devices by their numbers, and the roots of their mappings.
    var details: [UInt64: ThinDeviceDetails] = [:]
    var roots: [(id: UInt64, root: UInt64)] = []
    /// The devices of a snapshot of the metadata that the pool holds.
    var heldRoots: [UInt64] = []

    /// Checks a pool's metadata.
    ///
    /// - Parameters:
    ///   - metadata: The metadata, or a snapshot of it.
    ///   - level: How much is checked.
    ///   - detailsRoot: The root of the tree of devices, if not the one that the superblock names.
    ///   - mappingRoot: The root of the tree of the roots of mappings, if not the one that the superblock names.
    /// - Throws: ``ThinMetadataError`` where the metadata cannot be read at all.
    public static func report(
        on metadata: ThinPoolMetadata, level: Level = .full, detailsRoot: UInt64? = nil, mappingRoot: UInt64? = nil
    ) throws -> ThinMetadataReport {
        var check = try ThinMetadataCheck(metadata)
        check.detailsRoot = detailsRoot ?? check.detailsRoot
        check.mappingRoot = mappingRoot ?? check.mappingRoot
        check.run(level)
        check.report.findings.sort { $0.severity > $1.severity }
        return check.report
    }

    /// The blocks to which the state of the superblock refers.
    ///
    /// They are nodes, the blocks of the space maps, and the snapshot of the metadata that the pool holds. Blocks below
    /// damaged nodes are not found.
    static func usedBlocks(of metadata: ThinPoolMetadata) throws -> Set<UInt64> {
        var check = try ThinMetadataCheck(metadata)
        check.run(.full)
        // Damaged trees of the devices keep the check from the space maps.
        _ = SpaceMapContent(.data, check.superblock.dataCounts, of: check.blocks, uses: &check.uses)
        _ = SpaceMapContent(.metadata, check.superblock.metadataCounts, of: check.blocks, uses: &check.uses)
        return Set(check.uses.counts.blocks { $0 > 0 }.map { UInt64($0) })
    }

    private init(_ metadata: ThinPoolMetadata) throws {
        superblock = metadata.superblock
        isSnapshot = metadata.isSnapshot
        (detailsRoot, mappingRoot) = (superblock.details, superblock.mappings)
        report = ThinMetadataReport(superblock)
        let count = try metadata.blocks.source.blockCount() ?? metadata.blocks.count
        blocks = MetadataBlocks(source: metadata.blocks.source, count: count)
        uses = BlockUses(below: blocks.bound)
    }

    private mutating func run(_ level: Level) {
        if superblock.needsCheck {
            report.add(.needsCheck, .note, "the pool is marked: its metadata must be checked before it can change")
        }
        guard level != .superblock else { return }
        _ = uses.add(0)
        readDevices()
        if !isSnapshot { readHeldSnapshot() }
        report.deviceCount = details.count
        guard level == .full, report.severity != .damage || !roots.isEmpty else { return }
        checkMappings()
    }

    /// Reads the trees of the devices.
    private mutating func readDevices() {
        var devices = SmallTree(blocks, valueSize: DeviceDetailsLayout.size, uses: uses)
        var (found, unknown): ([UInt64: ThinDeviceDetails], Int) = ([:], 0)
        devices.read(detailsRoot) { key, bytes, place in
            guard let id = ThinDeviceID(key) else { return unknown += 1 }
            found[key] = ThinDeviceDetails(id, bytes, at: place)
        }
        var mappings = SmallTree(blocks, valueSize: NodeLayout.childSize, uses: devices.uses)
        var roots: [(id: UInt64, root: UInt64)] = []
        mappings.read(mappingRoot) { key, bytes, place in
            roots.append((key, bytes.number(MetadataField<UInt64>(place))))
        }
        (uses, details, self.roots) = (mappings.uses, found, roots)
        add(devices.faults, .node, "the tree of the devices")
        add(mappings.faults, .node, "the tree of the roots of the mappings")
        if unknown > 0 { report.add(.devices, .damage, "\(unknown) devices have numbers that no device can have") }
        let mapped = Set(roots.map(\.id))
        guard mapped != Set(found.keys) else { return compareTimes() }
        report.add(
            .devices, .damage, "not every device that is described has mappings, or the other way round",
            devices: mapped.symmetricDifference(found.keys).compactMap { ThinDeviceID($0) }.sorted())
    }

    private mutating func compareTimes() {
        let late = details.values.filter { $0.creationTime > superblock.time || $0.snapshottedTime > superblock.time }
        guard !late.isEmpty else { return }
        report.add(
            .clock, .note, "devices have times later than the pool's, \(superblock.time)",
            devices: late.map(\.id).sorted())
    }

    /// Counts what a snapshot of the metadata uses that the pool holds.
    private mutating func readHeldSnapshot() {
        guard let block = superblock.heldRoot else { return }
        // The detail of the error would say no more than the finding does.
        guard uses.add(block) != nil, let held = try? ThinPoolSuperblock(block, from: blocks.source) else {
            return report.add(.heldSnapshot, .damage, "block \(block), which the pool holds as a snapshot, is none")
        }
        report.add(.heldSnapshot, .note, "the pool holds a snapshot of its metadata in block \(block)")
        var devices = SmallTree(blocks, valueSize: DeviceDetailsLayout.size, uses: uses)
        devices.read(held.details) { _, _, _ in }
        var mappings = SmallTree(blocks, valueSize: NodeLayout.childSize, uses: devices.uses)
        var roots: [UInt64] = []
        mappings.read(held.mappings) { _, bytes, place in roots.append(bytes.number(MetadataField<UInt64>(place))) }
        (uses, heldRoots) = (mappings.uses, roots)
        add(devices.faults + mappings.faults, .heldSnapshot, "the snapshot of the metadata")
    }

    /// Adds what is wrong with the nodes of a tree.
    mutating func add(_ faults: [TreeFault], _ kind: ThinMetadataFinding.Kind, _ tree: String) {
        for fault in faults.prefix(100) {
            report.add(
                kind, fault.fault.isHarmless ? .minor : .damage, "\(tree): block \(fault.block): \(fault.fault.text)")
        }
    }
}
