extension ThinPoolVolume {
    /// Reads the name of a pool's device, which has `-tpool` behind it where lvm2 has thin devices in the pool.
    ///
    /// - Returns: `nil` when the text cannot be the name of a logical volume's device.
    public init?(poolDevice name: String) {
        let suffix = "-tpool"
        self.init(name.hasSuffix(suffix) ? String(name.dropLast(suffix.count)) : name)
    }

    /// Finds the pool whose device has a DM uuid, on the devices of the machine that lvm2's configuration does not leave out.
    ///
    /// The uuid stays the same when the pool or its volume group is renamed.
    ///
    /// - Parameter uuid: The uuid, `LVM-…`, without the `-tpool` that lvm2 puts behind it.
    /// - Returns: The pool by the name that it has now; `nil` when no volume group has it.
    public static func find(deviceUUID uuid: String) throws -> ThinPoolVolume? {
        guard let group = LVMIdentifier(groupOfDeviceUUID: uuid) else { return nil }
        let configuration = try LVMConfiguration()
        let devices = try PhysicalVolumeScan(configuration).devices
        for metadata in VolumeGroupMetadata.read(from: devices, on: LVMSystem(configuration)).groups
        where metadata.group.id == group {
            for volume in metadata.group.logicalVolumes
            where volume.thinPool != nil && metadata.group.deviceUUID(of: volume, layer: "tpool") == "\(uuid)-tpool" {
                var found = ThinPoolVolume(group: metadata.group.name, name: volume.name)
                found.groupID = group
                return found
            }
        }
        return nil
    }
}
