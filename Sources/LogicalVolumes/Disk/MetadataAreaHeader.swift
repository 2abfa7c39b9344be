/// The first sector of a metadata area, which says where in it the text in force is.
struct MetadataAreaHeader: Hashable, Sendable {
    /// Where a text is.
    struct Slot: Hashable, Sendable {
        /// The first byte, from the beginning of the area.
        var offset: UInt64
        /// How many bytes, with the zero byte at the end.
        var length: UInt64
        /// The text's checksum.
        var checksum: UInt32
        /// Bit 0: the area is set aside, and its text is an old one.
        var flags: UInt32

        var isIgnored: Bool { flags & SlotLayout.isIgnored != 0 }
    }

    /// Where the area begins on the device, in bytes.
    let start: UInt64
    /// How many bytes it has, this header among them.
    let length: UInt64
    /// The text in force, if the physical volume belongs to a group.
    var committed: Slot?
    /// A text that is about to be in force.
    var precommitted: Slot?
    /// Whether the area is set aside, also without a text.
    var isIgnored: Bool

    /// The length of the header in bytes; texts begin behind it.
    static let length = 512
    /// The longest text that is read, in bytes: 16 times what fits into an area of the usual mebibyte.
    ///
    /// lvm2 itself has no limit but the area, so a damaged or crafted area could ask for any amount of memory.
    static let longestText: UInt64 = 8 << 20

    /// The longest text that may be written, in bytes: as lvm2's limit, two of them fit into the area with room to round
    /// up their places, so that no later text is too long only because of where the present one is.
    var longestNewText: UInt64 {
        let half = (length - UInt64(Self.length)) / 2
        return min(Self.longestText, half - min(half, 512))
    }
    private static let magic = [UInt8](" LVM2 x[5A%r0N*>".utf8)
    private static let version: UInt32 = 1

    /// Makes the header of an empty area.
    init(_ area: PhysicalVolumeLabel.Area) {
        start = area.offset
        length = area.length
        isIgnored = false
    }

    /// Reads the header of the area that a label names.
    init(_ bytes: [UInt8], of area: PhysicalVolumeLabel.Area) throws(LogicalVolumeError) {
        func damaged(_ what: String) -> LogicalVolumeError {
            LogicalVolumeError(.damagedMetadata, "the metadata area at byte \(area.offset) is damaged: \(what)")
        }
        guard bytes.count == Self.length else { throw damaged("it ends within its header") }
        guard LittleEndian.read(UInt32.self, bytes, at: AreaHeaderLayout.checksum) == Self.checksum(of: bytes) else {
            throw damaged("its header has a wrong checksum")
        }
        guard bytes[AreaHeaderLayout.magic...].starts(with: Self.magic),
            LittleEndian.read(UInt32.self, bytes, at: AreaHeaderLayout.version) == Self.version
        else {
            throw damaged("its header is not of the kind that is known")
        }
        guard LittleEndian.read(UInt64.self, bytes, at: AreaHeaderLayout.start) == area.offset,
            LittleEndian.read(UInt64.self, bytes, at: AreaHeaderLayout.size) == area.length
        else { throw damaged("its header is about another area") }
        start = area.offset
        length = area.length
        let first = Self.slot(bytes, 0)
        isIgnored = first?.isIgnored ?? false
        committed = first.flatMap { $0.length == 0 ? nil : $0 }
        precommitted = committed == nil ? nil : Self.slot(bytes, 1)
        for slot in [committed, precommitted].compactMap(\.self) {
            // A text is never longer than the ring; where it ends past the area's end it goes on at the ring's start.
            guard slot.offset >= UInt64(Self.length), slot.offset < length,
                slot.length <= length - UInt64(Self.length)
            else { throw damaged("its header names a text outside of it") }
            guard slot.length <= Self.longestText else {
                throw LogicalVolumeError(
                    .unsupported,
                    "the text in the metadata area at byte \(area.offset) has \(slot.length) bytes, and at most "
                        + "\(Self.longestText) are read: the group is too large for this program, or the area is damaged"
                )
            }
        }
    }

    private static func slot(_ bytes: [UInt8], _ index: Int) -> Slot? {
        let place = AreaHeaderLayout.slots + index * SlotLayout.length
        guard let offset = LittleEndian.read(UInt64.self, bytes, at: place + SlotLayout.offset),
            let length = LittleEndian.read(UInt64.self, bytes, at: place + SlotLayout.size),
            let checksum = LittleEndian.read(UInt32.self, bytes, at: place + SlotLayout.checksum),
            let flags = LittleEndian.read(UInt32.self, bytes, at: place + SlotLayout.flags), offset != 0
        else { return nil }
        return Slot(offset: offset, length: length, checksum: checksum, flags: flags)
    }

    private static func checksum(of bytes: [UInt8]) -> UInt32 {
        MetadataChecksum.of(bytes[AreaHeaderLayout.checkedFrom...])
    }

    func encoded() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Self.length)
        bytes.replaceSubrange(AreaHeaderLayout.magic..<AreaHeaderLayout.version, with: Self.magic)
        LittleEndian.write(Self.version, &bytes, at: AreaHeaderLayout.version)
        LittleEndian.write(start, &bytes, at: AreaHeaderLayout.start)
        LittleEndian.write(length, &bytes, at: AreaHeaderLayout.size)
        // A precommitted text of a group that is new has an empty slot of the committed one before it.
        for (index, slot) in [committed, precommitted].enumerated() {
            guard let slot else { continue }
            let place = AreaHeaderLayout.slots + index * SlotLayout.length
            LittleEndian.write(slot.offset, &bytes, at: place + SlotLayout.offset)
            LittleEndian.write(slot.length, &bytes, at: place + SlotLayout.size)
            LittleEndian.write(slot.checksum, &bytes, at: place + SlotLayout.checksum)
            LittleEndian.write(slot.flags, &bytes, at: place + SlotLayout.flags)
        }
        LittleEndian.write(Self.checksum(of: bytes), &bytes, at: AreaHeaderLayout.checksum)
        return bytes
    }
}
