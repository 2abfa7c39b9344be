@testable import LogicalVolumes

extension FuzzTarget {
    /// The text about a volume group: printed, it is what was read.
    static let volumes = FuzzTarget(name: "volumes") { input in
        var reader = ConfigurationReader(input)
        if let (nodes, end) = accepting({ () throws(LogicalVolumeError) in try reader.takeNodes() }) {
            var printed: [UInt8] = []
            for node in nodes {
                node.print(to: &printed)
                _ = node.value
            }
            demand(printed + end == input, "a text is printed as another than was read")
        }
        guard let group = accepting({ () throws(LogicalVolumeError) in try VolumeGroup(parsing: input) }) else {
            return
        }
        for volume in group.physicalVolumes { demand(VolumeGroup.isName(group.name), "\(volume) of “\(group.name)”") }
    }

    /// A device with a label, a metadata area and a text, whose checksums are right.
    static let labels = FuzzTarget(name: "labels") { input in
        var bytes = input
        func correct(_ place: Int, of range: Range<Int>) {
            guard range.upperBound <= bytes.count, place + 4 <= bytes.count else { return }
            let checksum = MetadataChecksum.of(bytes[range])
            for byte in 0..<4 { bytes[place + byte] = UInt8(truncatingIfNeeded: checksum >> (8 * UInt32(byte))) }
        }
        // Where lvm2 puts them: the label in sector 1, the area's header at 4096, and in it the places of two texts.
        for slot in [4136, 4160] {
            guard let offset = LittleEndian.read(UInt64.self, bytes, at: slot),
                let length = LittleEndian.read(UInt64.self, bytes, at: slot + 8), offset < bytes.count,
                length < bytes.count
            else { continue }
            correct(slot + 16, of: 4096 + Int(offset)..<4096 + Int(offset + length))
        }
        correct(4096, of: 4100..<4608)
        correct(528, of: 532..<1024)
        // The first byte is nobody's. With it the device is large and holds nothing behind these bytes.
        let isLarge = bytes.first.map { $0 & 1 == 1 } ?? false
        let storage = StorageInMemory(bytes: bytes, length: isLarge ? 1 << 44 : UInt64(bytes.count))
        guard let label = accepting({ try PhysicalVolumeLabel.read(storage) }) ?? nil else { return }
        let device = PhysicalVolumeDevice(storage, path: "/dev/fuzz", number: nil, label: label)
        let (groups, damage) = VolumeGroupMetadata.read(from: [device])
        demand(damage.allSatisfy { $0.utf8.count > 8 }, "damage without a reason")
        demand(groups.count <= label.metadataAreas.count, "more groups than areas")
    }
}

/// A device in memory.
private struct StorageInMemory: PhysicalStorage {
    let bytes: [UInt8]
    let length: UInt64

    func size() -> UInt64 { length }

    func read(offset: UInt64, count: Int) -> [UInt8] {
        demand(count >= 0 && count <= MetadataAreaHeader.longestText, "\(count) bytes are read")
        guard offset < length else { return [] }
        let count = Int(min(UInt64(count), length - offset))
        let known = offset < bytes.count ? Array(bytes[Int(offset)...].prefix(count)) : []
        return known + [UInt8](repeating: 0, count: count - known.count)
    }

    func write(_ bytes: [UInt8], offset: UInt64) { demand(false, "something is written") }

    func flush() { demand(false, "something is flushed") }
}
