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
    /// It overwrites the place of the label and the area; the rest of the device is untouched.
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
    ///
    /// - Throws: ``LogicalVolumeError/Code/damagedLabel`` when the label names no place for extents.
    func description() throws -> NewPhysicalVolume {
        guard let data = label.dataAreas.first else {
            throw LogicalVolumeError(.damagedLabel, "the label of \(path) names no place for extents")
        }
        let size = try storage.size()
        let end = label.endOfExtents(from: data.offset, deviceSize: size)
        return NewPhysicalVolume(
            id: label.id, path: path, deviceSize: Sectors(wholeSectorsIn: size),
            extentStart: Sectors(wholeSectorsIn: data.offset), extentEnd: Sectors(wholeSectorsIn: end),
            bootLoaderArea: label.bootLoaderAreas.first)
    }

    /// Why the extents that a group's text gives the device cannot all be there.
    func conflict(with physical: PhysicalVolume, extentSize: Sectors) throws -> String? {
        let start = physical.extentStart.bytes
        let end = start + physical.extentCount * extentSize.bytes
        let limit = label.endOfExtents(from: start, deviceSize: .max)
        guard end > limit else { return nil }
        return
            "\(path): the last extents, which end at byte \(end), reach into the area at byte \(limit). A change would "
            + "overwrite what is there"
    }

    /// Whether no text about a group is on it.
    ///
    /// - Throws: ``LogicalVolumeError/Code/damagedMetadata`` when that cannot be told.
    func isOrphan() throws -> Bool {
        guard label.isUsed != true else { return false }
        return try label.metadataAreas.allSatisfy { try MetadataArea($0, on: storage).header.committed == nil }
    }
}
