public import DeviceMapper

/// A device that has the label of a physical volume.
public struct PhysicalVolumeDevice: Sendable {
    /// The open device.
    public let storage: any PhysicalStorage
    /// A path that a person knows it by.
    public let path: String
    /// Its number, which mapping tables name; `nil` for an image.
    public let number: DeviceNumber?
    /// Its label.
    public let label: PhysicalVolumeLabel

    /// Names a device with the label that was read from it.
    public init(_ storage: any PhysicalStorage, path: String, number: DeviceNumber?, label: PhysicalVolumeLabel) {
        self.storage = storage
        self.path = path
        self.number = number
        self.label = label
    }

    /// Makes a device a physical volume that no group has: an empty metadata area, and then the label.
    ///
    /// What was at the place of the label and the area is gone; the rest of the device is untouched.
    static func make(
        on storage: any PhysicalStorage, path: String, number: DeviceNumber?
    ) throws -> PhysicalVolumeDevice {
        let label = PhysicalVolumeLabel(new: LVMIdentifier(), deviceSize: try storage.size())
        for area in label.metadataAreas { _ = try MetadataArea(formatting: area, on: storage) }
        try storage.write(label.encoded(), offset: UInt64(label.sector) * Sectors.bytesPerSector)
        try storage.flush()
        return PhysicalVolumeDevice(storage, path: path, number: number, label: label)
    }

    /// How the text of a group describes it.
    func description() throws -> NewPhysicalVolume {
        NewPhysicalVolume(
            id: label.id, path: path, deviceSize: Sectors(wholeSectorsIn: try storage.size()),
            extentStart: Sectors(wholeSectorsIn: label.dataAreas.first?.offset ?? 0))
    }

    /// Whether no text about a group is on it.
    ///
    /// - Throws: ``LogicalVolumeError/Code/damagedMetadata`` when that cannot be told.
    func isOrphan() throws -> Bool {
        guard label.isUsed != true else { return false }
        return try label.metadataAreas.allSatisfy { try MetadataArea($0, on: storage).header.committed == nil }
    }
}
