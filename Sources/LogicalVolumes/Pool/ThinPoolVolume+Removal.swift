internal import BlockDevices
public import DeviceMapper
internal import SystemCalls
internal import SystemPackage

extension ThinPoolVolume {
    /// Whether some device of the machine has the volume group.
    ///
    /// - Throws: ``LogicalVolumeError/Code/ambiguous``, or what reading the devices throws.
    public func groupExists() throws -> Bool {
        do {
            _ = try VolumeGroupMetadata.find(group)
            return true
        } catch let error as LogicalVolumeError where error.code == .notFound {
            return false
        }
    }

    /// Takes away what ``create(on:overwrites:layout:)`` has made on a device: the pool's devices, the group and its profile.
    ///
    /// The device is no physical volume after that. A group that is not exactly the one that would be made is left alone,
    /// and so is a device that holds anything but a physical volume without a group.
    ///
    /// - Parameters:
    ///   - path: The device.
    ///   - layout: The shares of the device that the group was made with.
    ///   - control: The device mapper.
    /// - Throws: ``LogicalVolumeError/Code/inUse`` when something uses the pool or the device.
    public func remove(from path: String, layout: ThinPoolLayout, _ control: Control) throws {
        let deviceLock = try LVMLock.ofAllDevices()
        let groupLock = try LVMLock.ofGroup(group)
        try withExtendedLifetime((deviceLock, groupLock)) {
            let present: VolumeGroupMetadata?
            do {
                present = try completed(on: path, layout)
            } catch let error as LogicalVolumeError where error.code == .refusedChange {
                return
            }
            if let present { try LocatedThinPool(self, in: present).deactivate(control) }
            // The scan has the device open for reading, which does not keep it from being claimed.
            let device: BlockDevice
            do {
                device = try BlockDevice(FilePath(path), .readWrite, isExclusive: true)
            } catch {
                // A device that is not there, or that something holds, is no physical volume without a group.
                guard present != nil else { return }
                throw error
            }
            defer { device.close() }
            guard try present != nil || isUnusedPhysicalVolume(device, path) else { return }
            try DeviceContent.wipe(device)
            try device.flush()
            layout.autoextend.remove(profile: profile)
            LVMHints.invalidate()
        }
    }

    private func isUnusedPhysicalVolume(_ device: BlockDevice, _ path: String) throws -> Bool {
        guard let label = try PhysicalVolumeLabel.read(device) else { return false }
        return try PhysicalVolumeDevice(device, path: path, number: device.number, label: label).isOrphan()
    }
}
