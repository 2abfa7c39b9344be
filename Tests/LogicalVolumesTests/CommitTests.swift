@testable import LogicalVolumes

import TestSupport
import Testing

/// The text on several disks, and what a loss of power leaves of a change to it.
@Suite struct CommitTests {
    private func grown(_ group: VolumeGroup, by count: UInt64) throws -> VolumeGroup {
        let data = try group.logicalVolume("thinpool_tdata")
        return try group.extending(data, with: group.allocate(count, behind: try data.lastExtents()))
    }

    @Test func changesAreReadAgain() throws {
        let disk = try Fixture.disk("created-pv0.bin.xz")
        var metadata = try VolumeGroupMetadata.only(on: [disk])
        for round in 1...16 {
            try metadata.commit(try grown(metadata.group, by: 1), description: "round \(round)")
            let read = try VolumeGroupMetadata.only(on: [disk])
            #expect(read.group == metadata.group)
            #expect(read.group.sequenceNumber == UInt64(5 + round))
        }
        // The first new extent is behind the spare, and the others are behind it.
        #expect(try metadata.group.logicalVolume("thinpool_tdata").segments.count == 2)
        #expect(try metadata.group.freeExtentCount() == 0)
    }

    /// Texts go round a small ring, of which the last piece is no whole sector.
    @Test(arguments: [16384, 16384 + 100]) func goesRoundTheRing(_ length: UInt64) throws {
        let disk = DiskImage([], size: 1 << 20)
        let place = PhysicalVolumeLabel.Area(offset: 4096, length: length)
        _ = try MetadataArea(formatting: place, on: disk)
        var random = SeededRandom(seed: length)
        var previous: [UInt8]?
        for _ in 0..<60 {
            let text = random.bytes(Int.random(in: 1...5000, using: &random)).map { $0 | 1 }
            var area = try MetadataArea(place, on: disk)
            try area.precommit(text)
            // Until it is in force, the old one is whole.
            #expect(try MetadataArea(place, on: disk).committedText() == previous)
            try area.commit()
            #expect(try MetadataArea(place, on: disk).committedText() == text)
            previous = text
        }
        #expect(disk.read(offset: 4096 + length, count: 4096).allSatisfy { $0 == 0 })
    }

    @Test func addsADisk() throws {
        let first = try Fixture.disk("created-pv0.bin.xz")
        let second = DiskImage([], size: 1 << 30)
        var metadata = try VolumeGroupMetadata.only(on: [first])
        let device = try PhysicalVolumeDevice.make(on: second, path: "disk1", number: nil)
        #expect(try device.isOrphan())
        let changed = try metadata.group.adding(try device.description())
        try metadata.commit(changed, adding: [device], description: "add disk1")
        for disks in [[first, second], [second], [first]] {
            let read = try VolumeGroupMetadata.only(on: disks)
            #expect(read.group == metadata.group)
            #expect(read.group.physicalVolumes.map(\.extentCount) == [511, 255])
        }
        #expect(try PhysicalVolumeLabel.read(second)?.isUsed == true)
        let free = try metadata.group.freeExtents()
        #expect(free.map(\.count) == [16, 255])
    }

    /// Cuts the power before every single write and flush of a change to two disks.
    @Test func losesNothingWithThePower() throws {
        var random = SeededRandom(seed: 7)
        let before = try VolumeGroupMetadata.only(on: [
            Fixture.disk("extended-pv0.bin.xz"), Fixture.disk("extended-pv1.bin.xz"),
        ]).group
        var outcomes: Set<UInt64> = []
        for victim in 0...1 {
            for budget in 0...12 {
                for _ in 0..<2 {
                    let disks = [try Fixture.disk("extended-pv0.bin.xz"), try Fixture.disk("extended-pv1.bin.xz")]
                    var metadata = try VolumeGroupMetadata.only(on: disks)
                    disks[victim].losePower(after: budget)
                    _ = try? metadata.commit(before, description: "change")
                    // Both are without power from there on.
                    let after = disks.map { $0.afterPowerLoss(&random) }
                    var read = try VolumeGroupMetadata.only(on: after)
                    #expect(read.damage == [])
                    #expect(read.group.logicalVolumes == before.logicalVolumes)
                    #expect([7, 8].contains(read.group.sequenceNumber))
                    outcomes.insert(read.group.sequenceNumber)
                    // The next change brings both disks to the same state.
                    let next = read.group.sequenceNumber + 1
                    try read.commit(read.group, description: "next")
                    for disk in after {
                        #expect(try VolumeGroupMetadata.only(on: [disk]).group.sequenceNumber == next)
                    }
                }
            }
        }
        #expect(outcomes == [7, 8])
    }

    @Test func refusesTwoTextsWithTheSameNumber() throws {
        let disks = [try Fixture.disk("extended-pv0.bin.xz"), try Fixture.disk("extended-pv1.bin.xz")]
        var first = try VolumeGroupMetadata.only(on: [disks[0]])
        // A disk that was changed while the other was away.
        #expect { try first.commit(first.group, description: "") } throws: {
            ($0 as? LogicalVolumeError)?.code == .missingDevice
        }
        let text = first.group.text(description: "one", host: "a", time: 1)
        let other = first.group.text(description: "another", host: "b", time: 2)
        for (disk, text) in zip(disks, [text, other]) {
            let label = try #require(try PhysicalVolumeLabel.read(disk))
            var area = try MetadataArea(label.metadataAreas[0], on: disk)
            try area.precommit(text)
            try area.commit()
        }
        var metadata = try VolumeGroupMetadata.only(on: disks)
        #expect(metadata.damage.count == 1)
        #expect { try metadata.commit(metadata.group, description: "") } throws: {
            ($0 as? LogicalVolumeError)?.code == .refusedChange
        }
    }

    @Test func refusesWhatDoesNotFit() throws {
        let disk = try Fixture.disk("created-pv0.bin.xz")
        let label = try #require(try PhysicalVolumeLabel.read(disk))
        var area = try MetadataArea(label.metadataAreas[0], on: disk)
        let before = disk.content
        #expect {
            try area.precommit([UInt8](repeating: 1, count: (1 << 20) - 4096 - 512 - 1000))
        } throws: {
            ($0 as? LogicalVolumeError)?.code == .noSpace
        }
        #expect(disk.content == before)
        let group = try VolumeGroupMetadata.only(on: [disk]).group
        #expect { try grown(group, by: 17) } throws: { ($0 as? LogicalVolumeError)?.code == .noSpace }
    }
}
