internal import DeviceMapper

/// The label at the beginning of a physical volume, with the header that it leads to.
public struct PhysicalVolumeLabel: Hashable, Sendable {
    /// A range of bytes of the device; a length of 0 reaches to its end.
    public struct Area: Hashable, Sendable {
        /// The first byte.
        public var offset: UInt64
        /// How many bytes.
        public var length: UInt64

        /// Makes a range.
        public init(offset: UInt64, length: UInt64) {
            self.offset = offset
            self.length = length
        }
    }

    /// The physical volume's uuid.
    public let id: LVMIdentifier
    /// The size of the device in bytes when it became a physical volume.
    public let deviceSize: UInt64
    /// Where the extents are.
    public internal(set) var dataAreas: [Area]
    /// Where the texts about the volume group are.
    public internal(set) var metadataAreas: [Area]
    /// The areas that boot loaders may use.
    public internal(set) var bootLoaderAreas: [Area]
    /// Whether a volume group has it; `nil` before version 1 of the header's extension, which has no such mark.
    public var isUsed: Bool?
    /// The sector that the label is in, of the first four.
    public let sector: Int

    /// How much of a device is read to find a label, in bytes.
    static let searchedBytes = sectorCount * sectorSize
    private static let sectorCount = 4
    private static let sectorSize = 512
    private static let type = Array("LVM2 001".utf8)
    /// More areas of one kind than any version of lvm2 makes.
    private static let mostAreas = 2

    /// Makes the label of a new physical volume as lvm2 does: one metadata area before the first mebibyte, and the
    /// extents behind it.
    public init(new id: LVMIdentifier, deviceSize: UInt64) {
        self.id = id
        self.deviceSize = deviceSize
        dataAreas = [Area(offset: 1 << 20, length: 0)]
        metadataAreas = [Area(offset: 4096, length: (1 << 20) - 4096)]
        bootLoaderAreas = []
        isUsed = false
        sector = 1
    }

    /// Reads the label of a device.
    ///
    /// - Returns: `nil` when the device has none.
    /// - Throws: ``LogicalVolumeError/Code/damagedLabel`` when there is one that cannot be relied on; what reading throws.
    public static func read(_ storage: any PhysicalStorage) throws -> PhysicalVolumeLabel? {
        try PhysicalVolumeLabel(
            searching: try storage.read(offset: 0, count: searchedBytes), deviceSize: try storage.size())
    }

    /// Finds the label in the first sectors of a device.
    init?(searching bytes: [UInt8], deviceSize: UInt64) throws(LogicalVolumeError) {
        var damage: LogicalVolumeError?
        for sector in 0..<Self.sectorCount {
            let start = sector * Self.sectorSize
            guard bytes.count >= start + Self.sectorSize else { break }
            let content = Array(bytes[start..<start + Self.sectorSize])
            let hasMagic = content.starts(with: LabelLayout.magic)
            // One of the two alone is what a damaged label has.
            guard hasMagic || content[LabelLayout.type...].starts(with: Self.type) else { continue }
            do {
                // A label of another kind of volume is none of lvm2's.
                if hasMagic, Self.isWhole(content, sector), !content[LabelLayout.type...].starts(with: Self.type) {
                    continue
                }
                try self.init(content, sector: sector, actualSize: deviceSize)
                return
            } catch {
                damage = error
            }
        }
        if let damage { throw damage }
        return nil
    }

    private static func isWhole(_ bytes: [UInt8], _ sector: Int) -> Bool {
        LittleEndian.read(UInt64.self, bytes, at: LabelLayout.sector) == UInt64(sector)
            && LittleEndian.read(UInt32.self, bytes, at: LabelLayout.checksum) == checksum(of: bytes)
    }

    private static func checksum(of bytes: [UInt8]) -> UInt32 {
        MetadataChecksum.of(bytes[LabelLayout.checkedFrom...])
    }

    private init(_ bytes: [UInt8], sector: Int, actualSize: UInt64) throws(LogicalVolumeError) {
        func damaged(_ what: String) -> LogicalVolumeError {
            LogicalVolumeError(.damagedLabel, "the label in sector \(sector) is damaged: \(what)")
        }
        guard bytes.starts(with: LabelLayout.magic) else { throw damaged("it does not begin with LABELONE") }
        guard LittleEndian.read(UInt64.self, bytes, at: LabelLayout.sector) == UInt64(sector) else {
            throw damaged("it says that it belongs into another sector")
        }
        guard LittleEndian.read(UInt32.self, bytes, at: LabelLayout.checksum) == Self.checksum(of: bytes) else {
            throw damaged("its checksum is wrong")
        }
        guard bytes[LabelLayout.type...].starts(with: Self.type)
        else { throw damaged("it is not of the type LVM2 001") }
        typealias Header = PhysicalVolumeHeaderLayout
        guard let offset = LittleEndian.read(UInt32.self, bytes, at: LabelLayout.headerOffset).map(Int.init),
            offset >= LabelLayout.length, offset <= bytes.count - Header.length,
            let id = LVMIdentifier(compact: Array(bytes[offset..<offset + Header.identifierLength])),
            let size = LittleEndian.read(UInt64.self, bytes, at: offset + Header.deviceSize)
        else { throw damaged("its header cannot be understood") }
        var position = offset + Header.length
        guard let data = Self.areas(bytes, &position), let metadata = Self.areas(bytes, &position) else {
            throw damaged("its list of areas does not end")
        }
        var boot: [Area] = []
        typealias Extension = HeaderExtensionLayout
        if let version = LittleEndian.read(UInt32.self, bytes, at: position + Extension.version), version > 0,
            let flags = LittleEndian.read(UInt32.self, bytes, at: position + Extension.flags)
        {
            isUsed = flags & Extension.isUsed != 0
            position += Extension.length
            if version > 1 {
                guard let areas = Self.areas(bytes, &position) else { throw damaged("its list of areas does not end") }
                boot = areas
            }
        } else {
            isUsed = nil
        }
        if let what = Self.contradiction(data: data, metadata: metadata, boot: boot, size: actualSize) {
            throw damaged(what)
        }
        self.id = id
        self.sector = sector
        deviceSize = size
        dataAreas = data
        metadataAreas = metadata
        bootLoaderAreas = boot
    }

    /// Why areas cannot be where they are said to be.
    private static func contradiction(data: [Area], metadata: [Area], boot: [Area], size: UInt64) -> String? {
        for area in metadata + boot {
            let (end, overflow) = area.offset.addingReportingOverflow(area.length)
            guard !overflow, end <= size, area.length > 0 else {
                return
                    "the area at byte \(area.offset) with \(area.length) bytes does not fit on the device, which has "
                    + "\(size) bytes"
            }
        }
        for area in metadata where area.length <= UInt64(MetadataAreaHeader.length) {
            return "the metadata area at byte \(area.offset) has \(area.length) bytes, too few for its header"
        }
        // A second metadata area lies behind the extents, within the data area as the label has it, which goes on to the
        // end of the device; nothing may begin within another area.
        let places = (metadata + boot).sorted { $0.offset < $1.offset }
        for (first, second) in zip(places, places.dropFirst()) where first.offset + first.length > second.offset {
            return "the areas at bytes \(first.offset) and \(second.offset) overlap"
        }
        for area in places {
            for start in data.map(\.offset) where (area.offset + 1..<area.offset + area.length).contains(start) {
                return "the extents begin at byte \(start), within the area at byte \(area.offset)"
            }
        }
        for area in data where area.offset % UInt64(sectorSize) != 0 {
            return "the extents begin at byte \(area.offset), which is within a sector"
        }
        return nil
    }

    /// The byte at which extents that begin at `start` must have ended: the next area behind it, or the end of the device.
    func endOfExtents(from start: UInt64, deviceSize: UInt64) -> UInt64 {
        var end = deviceSize
        for area in metadataAreas + bootLoaderAreas where area.offset >= start { end = min(end, area.offset) }
        for area in dataAreas where area.offset == start && area.length > 0 {
            end = min(end, start + min(area.length, end - min(end, start)))
        }
        return end
    }

    private static func areas(_ bytes: [UInt8], _ position: inout Int) -> [Area]? {
        var areas: [Area] = []
        while let offset = LittleEndian.read(UInt64.self, bytes, at: position + AreaLayout.offset),
            let length = LittleEndian.read(UInt64.self, bytes, at: position + AreaLayout.size)
        {
            position += AreaLayout.length
            if offset == 0 { return areas }
            guard areas.count < mostAreas else { return nil }
            areas.append(Area(offset: offset, length: length))
        }
        return nil
    }

    /// The sector that a new label fills.
    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.sectorSize)
        bytes.replaceSubrange(0..<LabelLayout.magic.count, with: LabelLayout.magic)
        LittleEndian.write(UInt64(sector), &bytes, at: LabelLayout.sector)
        LittleEndian.write(UInt32(LabelLayout.length), &bytes, at: LabelLayout.headerOffset)
        bytes.replaceSubrange(LabelLayout.type..<LabelLayout.length, with: Self.type)
        let header = LabelLayout.length
        let identifier = header..<header + PhysicalVolumeHeaderLayout.identifierLength
        bytes.replaceSubrange(identifier, with: id.compact.utf8)
        LittleEndian.write(deviceSize, &bytes, at: header + PhysicalVolumeHeaderLayout.deviceSize)
        var position = header + PhysicalVolumeHeaderLayout.length
        Self.write(dataAreas, &bytes, &position)
        Self.write(metadataAreas, &bytes, &position)
        LittleEndian.write(UInt32(2), &bytes, at: position + HeaderExtensionLayout.version)
        let flags = isUsed == true ? HeaderExtensionLayout.isUsed : 0
        LittleEndian.write(flags, &bytes, at: position + HeaderExtensionLayout.flags)
        position += HeaderExtensionLayout.length
        Self.write(bootLoaderAreas, &bytes, &position)
        LittleEndian.write(Self.checksum(of: bytes), &bytes, at: LabelLayout.checksum)
        return bytes
    }

    /// Writes a list of areas, behind which an area of zeros stands already.
    private static func write(_ areas: [Area], _ bytes: inout [UInt8], _ position: inout Int) {
        for area in areas {
            LittleEndian.write(area.offset, &bytes, at: position + AreaLayout.offset)
            LittleEndian.write(area.length, &bytes, at: position + AreaLayout.size)
            position += AreaLayout.length
        }
        position += AreaLayout.length
    }

    /// Marks the label on the device as one whose physical volume a group has, and changes nothing else of it.
    ///
    /// A label without the place for the mark stays as it is; lvm2 does without it as well.
    func markUsed(on storage: any PhysicalStorage) throws {
        guard isUsed == false else { return }
        let place = UInt64(sector * Self.sectorSize)
        var bytes = try storage.read(offset: place, count: Self.sectorSize)
        guard bytes.count == Self.sectorSize, Self.isWhole(bytes, sector),
            let header = LittleEndian.read(UInt32.self, bytes, at: LabelLayout.headerOffset).map(Int.init),
            case var position = header + PhysicalVolumeHeaderLayout.length,
            Self.areas(bytes, &position) != nil, Self.areas(bytes, &position) != nil,
            position + HeaderExtensionLayout.length <= bytes.count,
            let flags = LittleEndian.read(UInt32.self, bytes, at: position + HeaderExtensionLayout.flags)
        else { throw LogicalVolumeError(.damagedLabel, "the label in sector \(sector) has changed meanwhile") }
        LittleEndian.write(
            flags | HeaderExtensionLayout.isUsed, &bytes, at: position + HeaderExtensionLayout.flags)
        LittleEndian.write(Self.checksum(of: bytes), &bytes, at: LabelLayout.checksum)
        try storage.write(bytes, offset: place)
        try storage.flush()
    }
}
