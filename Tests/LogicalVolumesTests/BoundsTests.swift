@testable import LogicalVolumes

import DeviceMapper
import Synchronization
import TestSupport
import Testing

/// A crafted disk does not make the program take more memory or time than a real one.
@Suite struct BoundsTests {
    private static let craftedAreas: [(UInt64, UInt64, UInt64)] = [
        // A terabyte of text in an area as large as the device, an area larger than the device, a text larger than its area.
        (1 << 41, 1 << 40, 1 << 42), (1 << 42, 1 << 40, 1 << 41), (1 << 20, 1 << 40, 1 << 42),
        (1 << 20, 1 << 20, 1 << 30),
        (1 << 20, UInt64.max, 1 << 30), (UInt64.max - 8192, 100, 1 << 30), (1 << 30, (8 << 20) + 1, 1 << 32),
    ]

    /// A disk that says how much was asked of it at a time.
    private final class CountingDisk: PhysicalStorage {
        private let disk: DiskImage
        private let mostRead = Mutex(0)

        init(_ disk: DiskImage) { self.disk = disk }

        var longestRead: Int { mostRead.withLock(\.self) }

        func size() -> UInt64 { disk.size() }

        func read(offset: UInt64, count: Int) -> [UInt8] {
            mostRead.withLock { $0 = max($0, count) }
            return disk.read(offset: offset, count: min(count, 1 << 24))
        }

        func write(_ bytes: [UInt8], offset: UInt64) throws { try disk.write(bytes, offset: offset) }

        func flush() throws { try disk.flush() }
    }

    /// A label with one area, whose header names a text of a length.
    private func crafted(area: UInt64, text: UInt64, size: UInt64) throws -> CountingDisk {
        let disk = DiskImage([], size: size)
        var label = PhysicalVolumeLabel(new: LVMIdentifier(), deviceSize: size)
        label.metadataAreas = [PhysicalVolumeLabel.Area(offset: 4096, length: area)]
        label.dataAreas = [PhysicalVolumeLabel.Area(offset: (4096 + area + 511) / 512 * 512, length: 0)]
        var header = MetadataAreaHeader(label.metadataAreas[0])
        header.committed = MetadataAreaHeader.Slot(offset: 512, length: text, checksum: 1, flags: 0)
        try disk.write(label.encoded(), offset: 512)
        try disk.write(header.encoded(), offset: 4096)
        return CountingDisk(disk)
    }

    @Test(arguments: craftedAreas)
    func asksForNoMoreThanTheLongestText(_ area: UInt64, _ text: UInt64, _ size: UInt64) throws {
        let disk = try crafted(area: area, text: text, size: size)
        let label: PhysicalVolumeLabel?
        do {
            label = try PhysicalVolumeLabel.read(disk)
        } catch let error as LogicalVolumeError {
            #expect(error.code == .damagedLabel)
            return
        }
        let device = PhysicalVolumeDevice(disk, path: "crafted", number: nil, label: try #require(label))
        let (groups, damage) = VolumeGroupMetadata.read(from: [device])
        #expect(groups.isEmpty && damage.count == 1)
        #expect(disk.longestRead <= 4096, "\(disk.longestRead)")
    }

    @Test func theLongestTextIsRead() throws {
        let disk = try crafted(area: 1 << 30, text: MetadataAreaHeader.longestText, size: 1 << 32)
        let label = try #require(try PhysicalVolumeLabel.read(disk))
        // Its checksum is wrong.
        #expect {
            try MetadataArea(label.metadataAreas[0], on: disk).committedText()
        } throws: {
            ($0 as? LogicalVolumeError)?.code == .damagedMetadata
        }
        #expect(disk.longestRead == Int(MetadataAreaHeader.longestText))
    }

    /// As lvm2: two texts fit, whatever their places.
    @Test func writesNoLongerTextThanLVM2() throws {
        let disk = DiskImage([], size: 1 << 30)
        let device = try PhysicalVolumeDevice.make(on: disk, path: "disk", number: nil)
        var area = try MetadataArea(device.label.metadataAreas[0], on: disk)
        // lvm2's figure for the usual area of 1020 KiB.
        let most = (1_044_480 - 512) / 2 - 512
        for round in 0..<5 {
            try area.precommit([UInt8](repeating: UInt8(65 + round), count: most - 1))
            try area.commit()
        }
        let before = disk.content
        #expect { try area.precommit([UInt8](repeating: 65, count: most)) } throws: {
            ($0 as? LogicalVolumeError)?.code == .noSpace
        }
        #expect(disk.content == before)
    }

    /// Many volumes with many segments: the time is in proportion to the text.
    @Test func readsALongTextInTime() throws {
        var text =
            "g {\nid = \"\(LVMIdentifier())\"\nseqno = 1\nextent_size = 8\nstatus = [\"RESIZEABLE\", \"READ\", \"WRITE\"]\n"
        text += "physical_volumes {\n"
        for index in 0..<3_000 {
            text +=
                "p\(index) {\nid = \"\(LVMIdentifier())\"\nstatus = [\"ALLOCATABLE\"]\npe_start = 0\npe_count = 9\n}\n"
        }
        text += "}\nlogical_volumes {\n"
        for index in 0..<3_000 {
            text +=
                "l\(index) {\nid = \"\(LVMIdentifier())\"\nstatus = [\"READ\"]\nsegment_count = 1\nsegment1 {\nstart_extent = 0\n"
            text +=
                "extent_count = 4\ntype = \"striped\"\nstripe_count = 1\nstripes = [\"p\(2_999 - index)\", 1]\n}\n}\n"
        }
        text += "}\n}\n"
        let start = ContinuousClock.now
        let group = try VolumeGroup(parsing: Array(text.utf8))
        #expect(try group.freeExtentCount() == 15_000)
        let taken = ContinuousClock.now - start
        #expect(taken < .seconds(60), "\(text.utf8.count) bytes took \(taken)")
    }
}
