@testable import LogicalVolumes

import DeviceMapper
import TestSupport
import Testing

/// Reading a damaged disk gives the text in force, or an error.
@Suite struct DamageTests {
    /// For damage at any byte that lvm2 uses, reading gives an error, or the text in force is the same.
    @Test func everyByteOfOneDisk() throws {
        let content = Array(try Fixture.content("created-pv0.bin.xz").prefix(1 << 14))
        let whole = try read(content)
        var errors = 0
        for index in content.indices {
            var damaged = content
            damaged[index] ^= UInt8.random(in: 1...255)
            do {
                #expect(try read(damaged) == whole, "byte \(index)")
            } catch let error as LogicalVolumeError {
                errors += 1
                #expect([.damagedLabel, .damagedMetadata].contains(error.code), "byte \(index): \(error)")
            }
        }
        // The label's sector, the header's, and the text.
        #expect(errors == 512 + 512 + whole.count + 1)
    }

    /// The text in force on a disk that begins with `content`.
    private func read(_ content: [UInt8]) throws -> [UInt8] {
        let disk = DiskImage(content, size: 2 << 30)
        guard let label = try PhysicalVolumeLabel.read(disk),
            let text = try MetadataArea(label.metadataAreas[0], on: disk).committedText()
        else { throw LogicalVolumeError(.notFound, "there is no text") }
        return text
    }

    /// With a second disk a group is read from its copy, and nothing is written while one is damaged.
    @Test func everyByteOfOneDiskOfTwo() throws {
        let content = Array(try Fixture.content("extended-pv0.bin.xz").prefix(1 << 15))
        let second = try Fixture.disk("extended-pv1.bin.xz")
        let whole = try VolumeGroupMetadata.only(on: [DiskImage(content, size: 2 << 30), second]).group
        var refusals = 0
        // All of the label and of the header, and some of the rest, for that takes long; the disk alone has had all of it.
        for index in Array(512..<1024) + Array(4096..<4608) + Array(stride(from: 4608, to: 1 << 14, by: 97)) {
            var damaged = content
            damaged[index] ^= UInt8(1 << (index % 8))
            let disk = DiskImage(damaged, size: 2 << 30)
            var metadata: VolumeGroupMetadata
            do {
                metadata = try VolumeGroupMetadata.only(on: [disk, second])
            } catch let error as LogicalVolumeError {
                // The label itself; on a machine the scan says so, and goes on with the other disk.
                #expect(error.code == .damagedLabel && (512..<1024).contains(index), "byte \(index): \(error)")
                metadata = try VolumeGroupMetadata.only(on: [second])
                #expect(metadata.group.logicalVolumes == whole.logicalVolumes)
                continue
            }
            #expect(metadata.group == whole, "byte \(index)")
            guard !metadata.damage.isEmpty else { continue }
            refusals += 1
            #expect { try metadata.commit(whole, description: "") } throws: {
                ($0 as? LogicalVolumeError)?.code == .refusedChange
            }
            #expect(disk.content == damaged)
        }
        #expect(refusals > 512)
    }

    /// Damage that the checksums are right about: what a program's error leaves, or malice.
    @Test func everyByteOfTheHeadersUnderARightChecksum() throws {
        let content = Array(try Fixture.content("created-pv0.bin.xz").prefix(1 << 15))
        let whole = try VolumeGroupMetadata.only(on: [DiskImage(content, size: 2 << 30)]).group
        var outcomes: [String: Int] = [:]
        for index in Array(512..<1024) + Array(4096..<4608) {
            for bit in Set([0, index % 8]) {
                var damaged = content
                damaged[index] ^= UInt8(1 << bit)
                let (checksum, start, end) = index < 1024 ? (528, 532, 1024) : (4096, 4100, 4608)
                LittleEndian.write(MetadataChecksum.of(damaged[start..<end]), &damaged, at: checksum)
                do {
                    let metadata = try VolumeGroupMetadata.only(on: [DiskImage(damaged, size: 2 << 30)])
                    // The text is the one that was written; at worst its device is not recognised.
                    #expect(metadata.group == whole, "byte \(index)")
                    outcomes[metadata.devices.count == 1 ? "whole" : "without its device", default: 0] += 1
                } catch let error as LogicalVolumeError {
                    #expect([.damagedLabel, .damagedMetadata].contains(error.code), "byte \(index): \(error)")
                    outcomes["refused", default: 0] += 1
                }
            }
        }
        // Bits of the uuid that make another one; what nobody reads; the rest.
        #expect(outcomes["without its device"] ?? 0 > 16, "\(outcomes)")
        #expect(outcomes["whole"] ?? 0 > 1000 && outcomes["refused"] ?? 0 > 100, "\(outcomes)")
    }

    /// A text whose checksum is right and whose words are not: the reader must stand it, and no extent may be wrong.
    @Test func everyByteOfTheText() throws {
        let text = Array(try Fixture.text("created.vg").utf8)
        let whole = try VolumeGroup(parsing: text)
        var refused = 0
        for index in text.indices {
            let replacements = [text[index] ^ 1, UInt8(ascii: "9"), UInt8(ascii: "}"), UInt8(ascii: "\""), 0, 0xff]
            for replacement in [replacements[index % replacements.count]] {
                var damaged = text
                damaged[index] = replacement
                do {
                    let group = try VolumeGroup(parsing: damaged)
                    if group.obstacle == nil { try requireSound(group) }
                    if group.physicalVolumes == whole.physicalVolumes, group.logicalVolumes == whole.logicalVolumes {
                        #expect(group.id == whole.id || group.node != whole.node)
                    }
                } catch let error as LogicalVolumeError {
                    refused += 1
                    #expect(error.code == .damagedMetadata, "byte \(index): \(error)")
                }
            }
        }
        #expect(refused > 500)
    }

    @Test func hostileNumbers() throws {
        let text = try Fixture.text("created.vg")
        let huge = [
            "18446744073709551615", "18446744073709551616", "9223372036854775808", "1099511627776", "-1", "0x10",
        ]
        for line in text.split(separator: "\n") where line.contains(" = ") && line.last?.isNumber == true {
            let name = line.prefix { $0 != "=" }
            for number in huge {
                let lines = text.split(separator: "\n").map { $0 == line ? "\(name)= \(number)" : String($0) }
                do {
                    let group = try VolumeGroup(parsing: Array(lines.joined(separator: "\n").utf8))
                    try requireSound(group)
                } catch let error as LogicalVolumeError {
                    #expect([.damagedMetadata, .refusedChange].contains(error.code), "\(name)\(number)")
                }
            }
        }
    }

    @Test func textThatDoesNotEnd() {
        for text in ["a {", "a { b = [", "a { b = \"", "a { b = \"\\", "a = ", "a", "}", "{", "a { b = [\"x\" , ", "#"]
        {
            #expect(throws: LogicalVolumeError.self, "\(text)") { try VolumeGroup(parsing: Array(text.utf8)) }
        }
        let deep = String(repeating: "a {", count: 100_000)
        #expect(throws: LogicalVolumeError.self) { try VolumeGroup(parsing: Array(deep.utf8)) }
    }

    private func requireSound(_ group: VolumeGroup) throws {
        for range in try group.usedExtents() {
            let physical = try #require(group.physicalVolumes.first { $0.name == range.physicalVolume })
            #expect(range.end <= physical.extentCount)
            #expect(physical.extentStart.count + physical.extentCount * group.extentSize.count <= 1 << 54)
        }
        let used = try group.usedExtents().reduce(0) { $0 + $1.count }
        #expect(try group.freeExtentCount() + used <= group.extentCount)
    }
}
