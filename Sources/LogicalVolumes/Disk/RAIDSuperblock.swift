internal import BlockDevices

/// The superblocks that Linux's RAID leaves on the parts of an array.
///
/// A part of a mirror shows the label of the physical volume on the array. A change to one part alone, while the array is
/// not assembled, makes the parts differ.
enum RAIDSuperblock {
    private static let magic: UInt32 = 0xa92b_4efc

    /// Whether there is one at any of its places.
    static func isPresent(on storage: any PhysicalStorage) throws -> Bool {
        let size = try storage.size()
        guard size >= 128 << 10 else { return false }
        let sectors = size / 512
        // Of the versions 1.1 and 1.2 at the start, of 1.0 within the last 12 KiB, and of 0.90 in the last whole 64 KiB.
        let places: [(offset: UInt64, isOldest: Bool)] = [
            (0, false), (4096, false), ((sectors - 16) / 8 * 8 * 512, false), ((size - 65536) / 65536 * 65536, true),
        ]
        return try places.contains { place in
            let bytes = try storage.read(offset: place.offset, count: 512)
            guard LittleEndian.read(UInt32.self, bytes, at: 0) == magic,
                let version = LittleEndian.read(UInt32.self, bytes, at: 4)
            else { return false }
            return place.isOldest ? version == 0 : version == 1
        }
    }
}
