internal import DeviceMapper
internal import SystemCalls
public import SystemPackage

/// Finds in damaged metadata of a pool what is whole, and writes it to another device.
///
/// If the roots that the superblock names lead to whole trees, these are taken. Otherwise all blocks are searched for the
/// newest pair of whole trees, as `thin_repair` does. If there is none either, the trees are taken as far as they can be
/// read.
public struct ThinMetadataRepair {
    /// The result of a repair for one thin device.
    public struct Device: Hashable, Sendable {
        /// The number of the device.
        public let id: ThinDeviceID
        /// How many of its blocks are mapped; 0 where the device itself is lost and was not written.
        public let mappedBlocks: UInt64
        /// How many mappings are lost.
        public let lostBlocks: UInt64

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(id: ThinDeviceID, mappedBlocks: UInt64, lostBlocks: UInt64) {
            self.id = id
            self.mappedBlocks = mappedBlocks
            self.lostBlocks = lostBlocks
        }
    }

    /// The pool, as it will be written.
    public let header: ThinMetadataHeader
    /// Whether it is the state of the superblock.
    public let isCurrent: Bool
    /// Whether the state is whole.
    public let isWhole: Bool
    /// Whether the superblock can be read, so that it says what the pool is.
    public let hasSuperblock: Bool

    /// The devices, as they will be written; without a root where nothing of one is left.
    let devices: [(details: ThinDeviceDetails, root: UInt64?)]
    private let input: ScanInput
    private let table: NodeTable
    private let roots: PoolRoots

    /// Reads all blocks of damaged metadata and decides what to take.
    ///
    /// - Parameters:
    ///   - path: The metadata device or a file, which is not changed.
    ///   - overrides: Fields of the pool that the metadata no longer has, or that are wrong.
    /// - Throws: ``ThinMetadataError`` when the device cannot be opened; ``ThinMetadataWriteError`` with the code
    ///   `notRepairable`.
    public init(_ path: FilePath, overrides: ThinMetadataDocumentReader.Overrides = .init()) throws {
        let input = try ScanInput(path)
        guard input.count > 0 else {
            throw ThinMetadataWriteError(
                .notRepairable, "Metadata device/file too small.  Is this binary metadata?")
        }
        let table = NodeTable(input)
        // A damaged superblock is what this is about.
        let superblock = try? ThinPoolSuperblock(0, from: input)
        let copies = table.superblocks.compactMap { try? ThinPoolSuperblock($0, from: input) }
        let search = RootSearch(table: table, input: input)
        let own = superblock.map { PoolRoots(mappings: $0.mappings, details: $0.details) }
        let known = copies.map { PoolRoots(mappings: $0.mappings, details: $0.details) }
        let whole = own.flatMap { search.isWhole($0) ? $0 : nil } ?? search.newest(known)
        var roots = whole ?? own
        if whole == nil, roots.map({ table.kind($0.mappings) == .none }) ?? true, let newest = search.newestDevices() {
            roots = PoolRoots(mappings: newest, details: own?.details ?? 0)
        }
        guard let roots else { throw ThinMetadataWriteError(.notRepairable, "no compatible roots found") }
        let collected = RepairDevices(table, input, roots)
        guard whole != nil || collected.devices.contains(where: { $0.root != nil }) else {
            throw ThinMetadataWriteError(.notRepairable, "no compatible roots found")
        }
        header = try Self.header(superblock, copies, overrides, isOwn: roots == own, collected)
        devices = collected.devices(time: header.time)
        isCurrent = roots == own
        isWhole = whole != nil
        hasSuperblock = superblock != nil
        self.input = input
        self.table = table
        self.roots = roots
    }

    /// The blocks of the state that was found, as far as they are nodes.
    func usedBlocks() -> Set<UInt64> {
        var (used, next): (Set<UInt64>, [UInt64]) = ([0], [roots.mappings, roots.details])
        next += devices.compactMap(\.root)
        while let block = next.popLast() {
            guard used.insert(block).inserted, table.kind(block) == .inner else { continue }
            next += table.entries[block]?.values ?? []
        }
        return used
    }

    private static func header(
        _ own: ThinPoolSuperblock?, _ copies: [ThinPoolSuperblock],
        _ overrides: ThinMetadataDocumentReader.Overrides, isOwn: Bool, _ found: RepairDevices
    ) throws -> ThinMetadataHeader {
        let given = own?.blockSize ?? copies.first?.blockSize
        guard let sectors = overrides.blockSectors ?? given.map({ UInt32($0.count) }) else {
            throw ThinMetadataWriteError(
                .notRepairable, "data block size needs to be provided due to corruption in the superblock")
        }
        guard sectors >= 128, sectors <= 1 << 21, sectors % 128 == 0 else {
            throw ThinMetadataWriteError(.notRepairable, "invalid data block size")
        }
        let transaction = max(overrides.transactionID ?? 0, own?.transactionID ?? 0)
        let blocks = max(overrides.dataBlocks ?? 0, own?.dataUsage?.total ?? 0)
        // Without its superblock, a device was made in the transaction before the pool's at the latest.
        return ThinMetadataHeader(
            time: max(found.time, own?.time ?? 0),
            transactionID: isOwn ? transaction : max(transaction, found.transaction + 1),
            blockSectors: sectors, dataBlocks: isOwn && blocks > 0 ? blocks : max(blocks, found.dataBlocks))
    }

    /// Hands the saved metadata to a visitor.
    ///
    /// - Returns: The numbers of saved and lost mappings of each device.
    @discardableResult
    public func walk(into visitor: inout some ThinMetadataVisitor) throws -> [Device] {
        var walk = RepairWalk(table, input, dataBlocks: header.dataBlocks, devices: devices.compactMap(\.root))
        try visitor.begin(header)
        for root in devices.compactMap(\.root) { try walk.shareParts(below: root, &visitor) }
        var saved: [Device] = []
        for (details, root) in devices {
            let mapped = try root.map { try walk.hand(details, root: $0, &visitor) } ?? 0
            saved.append(
                Device(
                    id: details.id, mappedBlocks: mapped,
                    lostBlocks: details.mappedBlocks > mapped ? details.mappedBlocks - mapped : 0))
        }
        try visitor.end()
        return saved
    }

    /// Writes a good copy.
    ///
    /// - Parameter output: Another block device, which nothing holds, or another file.
    /// - Returns: The numbers of saved and lost mappings of each device.
    /// - Throws: ``ThinMetadataWriteError``.
    @discardableResult
    public func write(to output: FilePath) throws -> [Device] {
        // A file that cannot be examined cannot be opened either, and the opening says why.
        if let from = try? Stat(input.path), let to = try? Stat(output), from.isSameFile(as: to) {
            throw ThinMetadataWriteError(.invalid, "\(output) is the damaged metadata itself; name another output")
        }
        var writer = try ThinMetadataWriter(output)
        return try walk(into: &writer)
    }
}
