@testable import LogicalVolumes

import DeviceMapper
import TestSupport
import Testing

/// Physical volumes with a second metadata area, which lies behind the extents.
@Suite struct SecondAreaTests {
    private static let impossibleAreas: [([UInt64], [(UInt64, UInt64)])] = [
        ([1 << 20], [(4096, 1 << 20), (1 << 20, 1 << 20)]),
        ([1 << 20], [(4096, 2 << 20)]),
        ([1 << 20], [(4096, 1 << 20), (4096, 1 << 20)]),
        ([(1 << 20) + 1], [(4096, 4096)]),
        ([1 << 20], [(4096, 512)]),
        ([1 << 20], [(4096, 1 << 40)]),
        ([1 << 20], [(4096, 4096), (8192, 4096), (12288, 4096)]),
    ]

    private static let size: UInt64 = 64 << 20
    private static let second = PhysicalVolumeLabel.Area(offset: (63 << 20), length: 1 << 20)

    /// A disk as “pvcreate --pvmetadatacopies 2” leaves it.
    private func disk() throws -> DiskImage {
        let disk = DiskImage([], size: Self.size)
        var label = PhysicalVolumeLabel(new: LVMIdentifier(), deviceSize: Self.size)
        label.metadataAreas.append(Self.second)
        for area in label.metadataAreas { _ = try MetadataArea(formatting: area, on: disk) }
        try disk.write(label.encoded(), offset: 512)
        return disk
    }

    private func device(_ disk: DiskImage) throws -> PhysicalVolumeDevice {
        let label = try #require(try PhysicalVolumeLabel.read(disk))
        return PhysicalVolumeDevice(disk, path: "two", number: nil, label: label)
    }

    @Test func extentsEndBeforeIt() throws {
        let first = try Fixture.disk("created-pv0.bin.xz")
        let second = try disk()
        var metadata = try VolumeGroupMetadata.only(on: [first])
        let added = try device(second)
        let changed = try metadata.group.adding(try added.description())
        // Of 64 MiB, the first and the last are no extents', and the rest is not a multiple of 4 MiB.
        #expect(changed.physicalVolumes.last?.extentCount == 15)
        try metadata.commit(changed, adding: [added], description: "add")
        let data = try metadata.group.logicalVolume("thinpool_tdata")
        try metadata.commit(
            try metadata.group.extending(data, by: try metadata.group.freeExtentCount()), description: "fill")
        let physical = try #require(metadata.group.physicalVolumes.last)
        let end = physical.extentStart.bytes + physical.extentCount * metadata.group.extentSize.bytes
        #expect(end <= Self.second.offset)
        // Both areas have the same text.
        let label = try #require(try PhysicalVolumeLabel.read(second))
        let texts = try label.metadataAreas.map { try MetadataArea($0, on: second).committedText() }
        #expect(texts.count == 2 && texts[0] != nil && texts[0] == texts[1])
        #expect(try VolumeGroupMetadata.only(on: [second]).group == metadata.group)
        // One of the two is enough, and the next change repairs the other.
        try second.write([UInt8](repeating: 0, count: 512), offset: 4096)
        let read = try VolumeGroupMetadata.only(on: [second, first])
        #expect(read.group == metadata.group)
        #expect(read.damage.count == 1)
    }

    /// A text whose extents reach into the area, as versions of this program wrote that did not know it.
    @Test func aGroupThatReachesIntoItIsNotChanged() throws {
        let disk = try disk()
        let device = try device(disk)
        var group = try VolumeGroup(new: "g", extentSize: Sectors(2048))
        group = try group.adding(
            NewPhysicalVolume(
                id: device.label.id, path: "two", deviceSize: Sectors(131072), extentStart: Sectors(2048),
                extentEnd: Sectors(131072), bootLoaderArea: nil))
        try disk.put(group.text(description: "", host: "h", time: 1))
        let before = disk.content
        var metadata = try VolumeGroupMetadata.only(on: [disk])
        #expect(metadata.group.extentCount == 63)
        #expect(metadata.damage.first?.contains("reach into the area") == true)
        #expect { try metadata.commit(group, description: "") } throws: {
            ($0 as? LogicalVolumeError)?.code == .refusedChange
        }
        #expect(disk.content == before)
    }

    @Test func theAreaOfABootLoaderIsKept() throws {
        let disk = DiskImage([], size: Self.size)
        var label = PhysicalVolumeLabel(new: LVMIdentifier(), deviceSize: Self.size)
        label.dataAreas = [PhysicalVolumeLabel.Area(offset: 4 << 20, length: 0)]
        label.bootLoaderAreas = [PhysicalVolumeLabel.Area(offset: 1 << 20, length: 2 << 20)]
        for area in label.metadataAreas { _ = try MetadataArea(formatting: area, on: disk) }
        try disk.write(label.encoded(), offset: 512)
        let group = try VolumeGroup(new: "g", extentSize: Sectors(8192)).adding(try device(disk).description())
        let text = String(decoding: group.text(description: "", host: "h", time: 1), as: UTF8.self)
        #expect(text.contains("ba_start = 2048") && text.contains("ba_size = 4096"))
        #expect(group.physicalVolumes[0].extentStart == Sectors(8192))
        #expect(group.physicalVolumes[0].extentCount == 15)
    }

    /// Areas that no tool makes.
    @Test(arguments: impossibleAreas)
    func refusesAreasThatCannotBe(_ data: [UInt64], _ metadata: [(UInt64, UInt64)]) throws {
        var label = PhysicalVolumeLabel(new: LVMIdentifier(), deviceSize: Self.size)
        label.dataAreas = data.map { PhysicalVolumeLabel.Area(offset: $0, length: 0) }
        label.metadataAreas = metadata.map { PhysicalVolumeLabel.Area(offset: $0.0, length: $0.1) }
        let disk = DiskImage([], size: Self.size)
        try disk.write(label.encoded(), offset: 512)
        #expect { try PhysicalVolumeLabel.read(disk) } throws: {
            ($0 as? LogicalVolumeError)?.code == .damagedLabel
        }
    }
}
