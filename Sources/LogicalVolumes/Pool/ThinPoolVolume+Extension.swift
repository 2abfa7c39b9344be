internal import BlockDevices
public import DeviceMapper
internal import SystemPackage

/// The space and the devices to add to a pool.
public struct ThinPoolGrowth: Hashable, Sendable {
    /// How much data space is added.
    public enum Amount: Hashable, Sendable {
        /// Nothing.
        case nothing
        /// Every extent that is free in the end.
        case everythingFree
        /// So many percent of the present size, or what is free if that is less.
        case percent(Int)
    }

    /// Devices that become physical volumes of the group first.
    public var devices: [String]
    /// Whether devices are taken that hold something; what is in use is never taken.
    public var overwritesDevices: Bool
    /// How many bytes of metadata space are added.
    public var metadataBytes: UInt64
    /// By how many percent the metadata grows, if there is room; for use without ``metadataBytes``.
    public var metadataPercent: Int?
    /// How much data space is added.
    public var data: Amount

    /// Makes a wish.
    public init(
        devices: [String] = [], overwritesDevices: Bool = false, metadataBytes: UInt64 = 0, metadataPercent: Int? = nil,
        data: Amount
    ) {
        self.devices = devices
        self.overwritesDevices = overwritesDevices
        self.metadataBytes = metadataBytes
        self.metadataPercent = metadataPercent
        self.data = data
    }
}

extension ThinPoolVolume {
    /// Makes the pool larger, while it is in use.
    ///
    /// The volume group's text comes first and the kernel's tables second: when the power is lost in between, the next
    /// activation or extension gives the pool its length. A call that was interrupted can be repeated: devices that the group
    /// has already are not added again.
    ///
    /// - Parameters:
    ///   - growth: By what.
    ///   - control: The device mapper.
    /// - Returns: The group after the change, and by how many extents data and metadata have grown.
    /// - Throws: ``LogicalVolumeError``; `DeviceMapperError` when the kernel does not take the longer tables, and then the
    ///   group says already that the pool is longer.
    @discardableResult
    public func extend(
        by growth: ThinPoolGrowth, _ control: Control
    ) throws -> (group: VolumeGroup, data: UInt64, metadata: UInt64) {
        let deviceLock = growth.devices.isEmpty ? nil : try LVMLock.ofAllDevices()
        let groupLock = try LVMLock.ofGroup(group)
        return try withExtendedLifetime((deviceLock, groupLock)) {
            var located = try locateForUse()
            try located.requireNotReadOnly(control)
            try located.metadata.reopenForWriting()
            try located.metadata.group.requireChangeable()
            let before = located
            let paths = try Self.newDevices(growth.devices, of: located.metadata)
            let configuration = try LVMConfiguration()
            for path in paths { try PreparedDevice.requireNotExcluded(path, configuration) }
            let added = try paths.map { try PreparedDevice.make($0, overwrites: growth.overwritesDevices) }
            var changed = located.metadata.group
            for device in added { changed = try changed.adding(try device.description()) }
            changed = try Self.grown(changed, located, by: growth)
            if changed == located.metadata.group {
                try located.metadata.completeCopies()
            } else {
                try located.metadata.commit(changed, adding: added, description: "Write from dmlayer: extend \(self)")
            }
            if !added.isEmpty {
                LVMHints.invalidate()
                // The kernel takes no device into a table that is claimed here.
                for device in added { (device.storage as? BlockDevice)?.close() }
                try located.metadata.reopenForWriting()
            }
            let after = try located.reread()
            if try control.informationIfPresent(on: .uuid(try DeviceUUID(after.poolUUID))) != nil {
                _ = try after.activate(control)
            }
            return (
                after.metadata.group, after.dataVolume.extentCount - before.dataVolume.extentCount,
                after.metadataVolume.extentCount - before.metadataVolume.extentCount
            )
        }
    }

    /// Those of the devices that the group does not have yet, each once.
    private static func newDevices(_ paths: [String], of metadata: VolumeGroupMetadata) throws -> [String] {
        var known = Set(metadata.devices.values.compactMap(\.number))
        return try paths.filter { known.insert(try BlockDevice(FilePath($0)).number).inserted }
    }

    private static func grown(
        _ group: VolumeGroup, _ pool: LocatedThinPool, by growth: ThinPoolGrowth
    ) throws -> VolumeGroup {
        var group = group
        let extent = group.extentSize.bytes
        var metadataExtents = growth.metadataBytes / extent + (growth.metadataBytes % extent == 0 ? 0 : 1)
        if let percent = growth.metadataPercent {
            metadataExtents = min(
                try group.freeExtentCount(), share(of: pool.metadataVolume.extentCount, percent: percent))
        }
        let largest = ThinPoolLayout.mostMetadataExtents(group.extentSize)
        metadataExtents = min(metadataExtents, largest - min(largest, pool.metadataVolume.extentCount))
        group = try group.extending(pool.metadataVolume, by: metadataExtents)
        // lvm2 repairs into a spare, which must be as large as the metadata; without room it stays as it is.
        if metadataExtents > 0, let spare = group.logicalVolumes.first(where: { $0.name.hasSuffix("_pmspare") }) {
            let size = pool.metadataVolume.extentCount + metadataExtents
            group = try group.extending(
                spare, by: min(size - min(size, spare.extentCount), try group.freeExtentCount()))
        }
        let free = try group.freeExtentCount()
        let dataExtents =
            switch growth.data {
            case .nothing: UInt64(0)
            case .everythingFree: free
            case .percent(let percent): min(free, share(of: pool.dataVolume.extentCount, percent: percent))
            }
        group = try group.extending(pool.dataVolume, by: dataExtents)
        return try group.extending(pool: pool.pool, to: pool.dataVolume.extentCount + dataExtents)
    }

    /// So many percent of a number of extents, rounded up.
    private static func share(of extents: UInt64, percent: Int) -> UInt64 {
        // No group has more than 2^40 extents.
        (extents * UInt64(min(AutoextendSettings.mostPercent, max(0, percent))) + 99) / 100
    }
}

/// A device that is to become a physical volume.
enum PreparedDevice {
    /// Makes a device a physical volume that no group has, unless it is one.
    ///
    /// - Throws: ``LogicalVolumeError/Code/inUse``, also where it would be overwritten;
    ///   ``LogicalVolumeError/Code/notEmpty`` with what is on it.
    static func make(_ path: String, overwrites: Bool) throws -> PhysicalVolumeDevice {
        let device = try open(path)
        if let orphan = try orphan(device, path) { return orphan }
        let content = try DeviceContent.probe(device) + partitions(of: device)
        if !content.isEmpty {
            guard overwrites else {
                throw LogicalVolumeError(
                    .notEmpty,
                    "\(path) holds \(content.joined(separator: " and ")), which would be destroyed; name another device, or "
                        + "force it if nobody needs what is there")
            }
            try DeviceContent.wipe(device)
        }
        return try PhysicalVolumeDevice.make(on: device, path: path, number: device.number)
    }

    /// Refuses a device that lvm2's configuration leaves out: the group would not be found again on it.
    ///
    /// - Throws: ``LogicalVolumeError/Code/excludedDevice``.
    static func requireNotExcluded(_ path: String, _ configuration: LVMConfiguration) throws {
        let device = try BlockDevice(FilePath(path))
        // A label that cannot be read is none that lvm2 would know the device by.
        let label = (try? PhysicalVolumeLabel.read(device)) ?? nil
        guard let scanned = try PhysicalVolumeScan.scanned(device.number),
            let reason = try DeviceRules(configuration).exclusion(ofNew: scanned, label: label)
        else { return }
        throw LogicalVolumeError(
            .excludedDevice,
            "\(path) is not taken, because lvm2's configuration in \(configuration.directory) leaves it out: \(reason)")
    }

    /// The physical volume on a device that no group has: an earlier attempt was interrupted, or pvcreate made it.
    private static func orphan(_ device: BlockDevice, _ path: String) throws -> PhysicalVolumeDevice? {
        guard let label = try? PhysicalVolumeLabel.read(device) else { return nil }
        let found = PhysicalVolumeDevice(device, path: path, number: device.number, label: label)
        guard (try? found.isOrphan()) == true, try device.size() == label.deviceSize, !label.metadataAreas.isEmpty
        else {
            return nil
        }
        return found
    }

    private static func open(_ path: String) throws -> BlockDevice {
        let device: BlockDevice
        do {
            device = try BlockDevice(FilePath(path), .readWrite, isExclusive: true)
        } catch {
            guard error.code == .inUse else { throw error }
            throw LogicalVolumeError(.inUse, "\(path) is in use\(holders(of: path)), and is not touched, forced or not")
        }
        guard try !device.isReadOnly() else { throw LogicalVolumeError(.invalidArgument, "\(path) takes no writes") }
        return device
    }

    private static func holders(of path: String) -> String {
        guard let device = try? BlockDevice(FilePath(path)) else { return "" }
        let holders = ((try? DeviceHolder.holders(of: device.number)) ?? []).map(\.description)
        return holders.isEmpty
            ? ": a mount, swap, or a partition of it that is used" : " by \(holders.joined(separator: ", "))"
    }

    private static func partitions(of device: BlockDevice) -> [String] {
        let directory = FilePath("/sys/dev/block").appending(device.number.description)
        let names = (try? DirectoryListing.names(in: directory)) ?? []
        return names.contains { (try? Stat(directory.appending($0).appending("partition"))) != nil }
            ? ["partitions"] : []
    }
}
