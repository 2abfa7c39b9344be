internal import BlockDevices
internal import DeviceMapper
internal import SystemPackage

extension ThinPoolVolume {
    /// The pool that Docker makes.
    public static let docker = ThinPoolVolume(group: "docker", name: "thinpool")

    /// The name of the profile that Docker makes for it.
    var profile: String { deviceName }

    /// Makes a volume group with the pool on a device; nothing is activated.
    ///
    /// It ends in what Docker's sixteen steps with lvm2 end in. Whenever it is interrupted it can be run again: until the
    /// group's text is in force, in one step with everything in it, the device is at most a physical volume that no group
    /// has. A group that was completed is found and left as it is.
    ///
    /// - Parameters:
    ///   - path: The device.
    ///   - overwrites: Whether a device is taken that holds something; what is in use is never taken.
    ///   - layout: The shares of the device.
    /// - Throws: ``LogicalVolumeError/Code/inUse``, ``LogicalVolumeError/Code/notEmpty``; ``LogicalVolumeError/Code/refusedChange``
    ///   when another group has the name.
    public func create(on path: String, overwrites: Bool, layout: ThinPoolLayout) throws {
        let deviceLock = try LVMLock.ofAllDevices()
        let groupLock = try LVMLock.ofGroup(group)
        try withExtendedLifetime((deviceLock, groupLock)) {
            let configuration = try LVMConfiguration()
            if var present = try completed(on: path, layout) {
                try present.requireOurs()
                try layout.autoextend.requireNoOther(profile: profile)
                try layout.autoextend.write(profile: profile)
                try present.reopenForWriting()
                return try present.completeCopies()
            }
            try PreparedDevice.requireNotExcluded(path, configuration)
            try layout.autoextend.requireNoOther(profile: profile)
            let device = try PreparedDevice.make(path, overwrites: overwrites)
            var group = try VolumeGroup(
                new: group, extentSize: ThinPoolLayout.extentSize, systemID: LVMSystem(configuration).id)
            group = try group.adding(try device.description())
            group = try layout.adding(self, profile: profile, to: group)
            try clearMetadata(of: group, on: device)
            try layout.autoextend.write(profile: profile)
            var metadata = try VolumeGroupMetadata(new: group, on: device)
            try metadata.commit(group, adding: [], description: "Write from dmlayer: create \(self)")
            LVMHints.invalidate()
            (device.storage as? BlockDevice)?.close()
        }
    }

    /// The group, if an earlier attempt has made it.
    func completed(on path: String, _ layout: ThinPoolLayout) throws -> VolumeGroupMetadata? {
        let present: VolumeGroupMetadata
        do {
            present = try VolumeGroupMetadata.find(group)
        } catch let error as LogicalVolumeError where error.code == .notFound || error.code == .damagedMetadata {
            // Damage on the device itself is found when the device is examined.
            return nil
        }
        let opened = try BlockDevice(FilePath(path))
        let device = present.group.physicalVolumes.first.flatMap { present.devices[$0.id] }
        var expected = try VolumeGroup(new: group, extentSize: present.group.extentSize)
        if let device, device.number == opened.number, present.group.physicalVolumes.count == 1 {
            // It may have been changed since, and can be changed again.
            var layout = layout
            let pool = present.group.logicalVolumes.first { $0.name == name }?.thinPool
            layout.zeroesNewBlocks = pool.map { !$0.features.contains(.skipBlockZeroing) } ?? layout.zeroesNewBlocks
            expected = try layout.adding(self, profile: profile, to: try expected.adding(try device.description()))
            func shape(_ group: VolumeGroup) -> [[Segment]] { group.logicalVolumes.map(\.segments) }
            if shape(expected) == shape(present.group) { return present }
        }
        let places = present.group.physicalVolumes.map { present.devices[$0.id]?.path ?? $0.deviceHint ?? "?" }
        throw LogicalVolumeError(
            .refusedChange,
            "there is a volume group \(group) already, on \(places.joined(separator: ", ")), "
                + "\(Self.content(of: present.group)); if nobody needs it, remove it with “vgremove \(group)”")
    }

    /// The logical volumes of a group, and how to use its thin pool where it has one.
    private static func content(of group: VolumeGroup) -> String {
        let volumes = group.logicalVolumes
        guard !volumes.isEmpty else { return "with no logical volume in it" }
        let list = "with the logical volumes \(volumes.map(\.name).joined(separator: ", "))"
        guard let pool = volumes.first(where: { $0.thinPool != nil }) else { return list }
        return "\(list); if its pool is meant, name it as dm.thinpooldev=/dev/mapper/\(group.deviceName(of: pool))"
    }

    /// Fills the pool's metadata with zeros, so that the kernel makes a new pool there.
    private func clearMetadata(of group: VolumeGroup, on device: PhysicalVolumeDevice) throws {
        guard let block = device.storage as? BlockDevice else { return }
        for segment in try group.logicalVolume("\(name)_tmeta").segments {
            guard case .striped(let areas, _) = segment.kind, let physical = group.physicalVolumes.first else {
                continue
            }
            let start = physical.extentStart.count + areas[0].startExtent * group.extentSize.count
            try block.zero(
                offset: start * Sectors.bytesPerSector, length: segment.extentCount * group.extentSize.bytes)
        }
    }
}
