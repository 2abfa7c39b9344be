@testable import LogicalVolumes

import DeviceMapper
import TestSupport
import Testing

/// Against what real lvm2 2.03.16 wrote.
@Suite struct FixtureTests {
    @Test func readsWhatLVM2Wrote() throws {
        let metadata = try VolumeGroupMetadata.only(on: [
            Fixture.disk("extended-pv0.bin.xz"), Fixture.disk("extended-pv1.bin.xz"),
        ])
        let group = metadata.group
        #expect(metadata.damage == [])
        #expect(metadata.devices.count == 2)
        #expect(group.name == "docker")
        #expect(group.id.description == "blLOwp-bkiP-EIR3-zN7G-K4Qx-aYCy-aTm0e7")
        #expect(group.sequenceNumber == 7)
        #expect(group.obstacle == nil)
        #expect(group.physicalVolumes.map(\.extentCount) == [511, 255])
        #expect(group.logicalVolumes.map(\.name) == ["thinpool", "thinpool_tdata", "thinpool_tmeta", "lvol0_pmspare"])
        #expect(try group.logicalVolume("thinpool_tdata").segments.map(\.extentCount) == [485, 16, 255])
        #expect(try group.freeExtentCount() == 0)
        let pool = try group.logicalVolume("thinpool")
        #expect(
            group.deviceUUID(of: pool, layer: "tpool")
                == "LVM-blLOwpbkiPEIR3zN7GK4QxaYCyaTm0e70BA7EcDY1dwaUWrGBFOzRvOOqC0S1M1i-tpool")
        #expect(pool.thinPool?.features == .skipBlockZeroing)
    }

    @Test func tellsWhatIsFree() throws {
        let group = try VolumeGroupMetadata.only(on: [Fixture.disk("created-pv0.bin.xz")]).group
        #expect(try group.freeExtents() == [ExtentRange(physicalVolume: "pv0", start: 495, count: 16)])
    }

    @Test func findsThatADiskIsMissing() throws {
        let metadata = try VolumeGroupMetadata.only(on: [Fixture.disk("extended-pv0.bin.xz")])
        #expect {
            for physical in metadata.group.physicalVolumes { _ = try metadata.device(of: physical) }
        } throws: {
            ($0 as? LogicalVolumeError)?.code == .missingDevice
        }
    }

    /// The form with comments that vgcfgbackup writes, and the bare one on the disk, come out as they went in.
    @Test(arguments: ["created", "extended"])
    func printsEveryTextWordForWord(_ name: String) throws {
        let backup = try Fixture.text("\(name).vg")
        let disk = try Fixture.disk("\(name)-pv0.bin.xz")
        let label = try #require(try PhysicalVolumeLabel.read(disk))
        let onDisk = try #require(try MetadataArea(label.metadataAreas[0], on: disk).committedText())
        for text in [Array(backup.utf8), onDisk] {
            var reader = ConfigurationReader(text)
            let (nodes, end) = try reader.takeNodes()
            var printed: [UInt8] = []
            for node in nodes { node.print(to: &printed) }
            #expect(printed + end == text)
        }
        // Both say the same.
        let fromBackup = try VolumeGroup(parsing: Array(backup.utf8))
        let fromDisk = try VolumeGroup(parsing: onDisk)
        #expect(fromBackup.logicalVolumes == fromDisk.logicalVolumes)
        #expect(fromBackup.physicalVolumes == fromDisk.physicalVolumes)
    }

    /// A label and a header that are read and written again are the same bytes.
    @Test func encodesLabelsAndHeadersAsLVM2Does() throws {
        let disk = try Fixture.disk("created-pv0.bin.xz")
        let label = try #require(try PhysicalVolumeLabel.read(disk))
        #expect(label.encoded() == disk.read(offset: 512, count: 512))
        let area = try MetadataArea(label.metadataAreas[0], on: disk)
        #expect(area.header.encoded() == disk.read(offset: 4096, count: 512))
    }

    /// A change touches nothing but what it is about.
    @Test func keepsTheRestOfTheText() throws {
        let text = try Fixture.text("created.vg")
            .replacing("thinpool_tmeta {", with: "thinpool_tmeta {\n\t\t\tfrom_the_future = [\"x\", 1]\t# kept")
            .replacing("max_lv = 0", with: "max_lv = 0\n\tnew_section {\n\t\tdeep { a = 1.5 }\n\t}")
        let group = try VolumeGroup(parsing: Array(text.utf8))
        let data = try group.logicalVolume("thinpool_tdata")
        let changed = try group.extending(data, with: group.allocate(3, behind: try data.lastExtents()))
        var lines = String(decoding: changed.text(description: "", host: "h", time: 1), as: UTF8.self)
            .split(separator: "\n")
        for line in text.split(separator: "\n") where line.hasPrefix("\t") && !line.contains("seqno") {
            if line.contains("segment_count"), lines.contains("\t\t\tsegment_count = 2") { continue }
            let index = lines.firstIndex(of: line)
            #expect(index != nil, "\(line)")
            if let index { lines.remove(at: index) }
        }
        let parsed = try VolumeGroup(parsing: changed.text(description: "a \"quoted\" \\ text", host: "h", time: 1))
        #expect(parsed.sequenceNumber == 6)
        #expect(try parsed.logicalVolume("thinpool_tdata").extentCount == 488)
        #expect(try parsed.freeExtentCount() == 13)
    }

    @Test(arguments: [
        ("status = [\"ALLOCATABLE\"]\n\t\t\tflags = []", "status = [\"ALLOCATABLE\"]\n\t\t\tflags = [\"MISSING\"]"),
        ("status = [\"ALLOCATABLE\"]", "status = [\"ALLOCATABLE\", \"MISSING\"]"),
        ("status = [\"RESIZEABLE\", \"READ\", \"WRITE\"]", "status = [\"RESIZEABLE\", \"READ\"]"),
        (
            "status = [\"RESIZEABLE\", \"READ\", \"WRITE\"]",
            "status = [\"RESIZEABLE\", \"READ\", \"WRITE\", \"PVMOVE\"]"
        ),
        ("type = \"thin-pool\"", "type = \"raid1\""), ("type = \"thin-pool\"", "type = \"thin-pool+CROP_METADATA\""),
        ("chunk_size = 1024", "chunk_size = 1024\nmessage1 {\ncreate = \"thin1\"\n}"),
    ])
    func readsAndDoesNotChangeWhatItDoesNotUnderstand(_ old: String, _ new: String) throws {
        let text = try Fixture.text("created.vg").replacing(old, with: new)
        #expect(text.contains(new))
        let group = try VolumeGroup(parsing: Array(text.utf8))
        #expect(group.logicalVolumes.count == 4)
        #expect(group.refusal == nil)
        #expect { try group.freeExtents() } throws: { ($0 as? LogicalVolumeError)?.code == .refusedChange }
    }

    @Test func namesDevicesAsLVM2Does() throws {
        for (group, volume, name) in [
            ("docker", "thinpool", "docker-thinpool"), ("a-b", "c--d", "a--b-c----d"), ("v", "l-", "v-l--"),
            ("v-", "l", "v---l"),
        ] {
            #expect(VolumeGroup.deviceName(group: group, volume: volume) == name)
        }
        for (name, group, volume) in [("docker-thinpool", "docker", "thinpool"), ("a--b-c----d", "a-b", "c--d")] {
            let names = try #require(VolumeGroup.names(inDeviceName: name))
            #expect(names.group == group && names.volume == volume)
        }
        for name in ["docker", "docker--thinpool", "-x", "a-", "", "a-b/c"] {
            #expect(VolumeGroup.names(inDeviceName: name) == nil, "\(name)")
        }
    }
}

extension String {
    func replacing(_ old: String, with new: String) -> String {
        guard let range = firstRange(of: old) else { return self }
        return String(self[..<range.lowerBound]) + new + String(self[range.upperBound...])
    }

    private func firstRange(of text: String) -> Range<Index>? {
        indices.first { self[$0...].hasPrefix(text) }.map { $0..<index($0, offsetBy: text.count) }
    }
}
