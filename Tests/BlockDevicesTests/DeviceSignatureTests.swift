import SystemPackage
import TestSupport
import Testing

@testable import BlockDevices

/// The signatures that are recognised on a device, judged by libblkid: its list of names, and `wipefs` on each image.
///
/// `WIPEFS` in the environment names another `wipefs` than the system's.
@Suite struct DeviceSignatureTests {
    /// The names of partition tables, of which `blkid` has no list.
    ///
    /// The kinds that are only ever within a partition of another table (freebsd, netbsd, openbsd, minix) are left out.
    static let partitionTables = [
        "aix", "atari", "bsd", "dasd", "dos", "gpt", "mac", "PMBR", "sgi", "solaris", "sun", "ultrix", "unixware",
    ]

    @Test func libblkidHasNoNameWithoutARow() throws {
        let known = Set(DeviceSignature.all.flatMap(\.names))
        let superblocks = try Shell.run("blkid -k").split(separator: "\n").map(String.init)
        #expect(superblocks.count > 70)
        // Younger than the libblkid of the oldest system that runs these tests.
        let younger = ["bcachefs", "cs_fvault2", "opensvc_hb", "scoutfs_data", "scoutfs_meta"]
        #expect(Set(superblocks + younger + Self.partitionTables).subtracting(known).isEmpty)
    }

    @Test(arguments: DeviceImage.made)
    func recognisesWhatItsOwnProgramMade(_ image: DeviceImage) throws {
        let scratch = try ScratchDirectory()
        let file = try scratch.makeSparseFile("image", size: image.size)
        try Shell.run("cd '\(scratch.path)' && (\(image.command))")
        let found = try Self.found(in: file)
        if let name = image.name {
            #expect(found.contains { $0.names.contains(name) }, "\(found.map(\.names))")
            let types = try Self.wipefs(file)
            #expect(types.contains(name) == image.isListed, "wipefs: \(types)")
            if image.isListed { Self.expectAgreement(found, types) }
        } else {
            #expect(found.map(\.description) == [image.description])
        }
        // Nothing is recognised after both ends of a device have been overwritten.
        let reach = DeviceSignature.reach
        #expect(reach < 5 << 20)
        #expect(
            try Self.found(in: file) { offset, size in offset < reach || offset >= size - reach }.map(\.names) == [])
    }

    @Test(arguments: DeviceHeader.all)
    func recognisesAHeader(_ header: DeviceHeader) throws {
        let scratch = try ScratchDirectory()
        let file = try scratch.makeSparseFile("image", size: header.size)
        let descriptor = try FileDescriptor.open(file, .readWrite)
        for (offset, bytes) in header.parts {
            try descriptor.writeAll(toAbsoluteOffset: offset < 0 ? header.size + offset : offset, bytes)
        }
        try descriptor.close()
        let found = try Self.found(in: file)
        if let description = header.description {
            #expect(found.map(\.description) == [description])
        } else {
            #expect(found.contains { $0.names.contains(header.name) }, "\(found.map(\.names))")
        }
        // An older libblkid does not know all of them.
        let types = try Self.wipefs(file)
        if try header.isKnownToLibblkid
            && (Shell.run("blkid -k").split(separator: "\n").contains(Substring(header.name))
                || Self.partitionTables.contains(header.name))
        {
            #expect(types.contains(header.name), "wipefs: \(types)")
            Self.expectAgreement(found, types)
        }
    }

    /// Random bytes with each of the short magics in its place, as deleted data has them once in a while.
    @Test func takesNoRandomDataForContent() throws {
        var random = SeededRandom(seed: 7)
        let size: UInt64 = 1 << 20
        let short = DeviceSignature.all.flatMap { row in row.places.map { ($0, row) } }
            .filter { (1..<4).contains($0.0.magic.bytes.count) }
        #expect(short.count > 20)
        for round in 0..<15 {
            let noise = random.bytes(Int(size))
            for (place, row) in round == 0 ? short : Array(short.shuffled(using: &random).prefix(12)) {
                var bytes = noise
                let start = Int(try #require(place.position.offset(on: size))) + Int(place.magicOffset)
                bytes.replaceSubrange(start..<start + place.magic.bytes.count, with: place.magic.bytes)
                let found = try DeviceSignature.found(size: size) { offset, count in
                    Array(bytes.dropFirst(Int(offset)).prefix(count))
                }
                #expect(found.map(\.names) == [], "\(row.names) in round \(round)")
            }
        }
    }

    @Test(arguments: [UInt64(0), 1, 511, 512, 4096, 65536, 1 << 20, .max])
    func readsNothingOnAnEmptyDevice(size: UInt64) throws {
        let found = try DeviceSignature.found(size: size) { offset, count in
            offset < size ? [UInt8](repeating: 0, count: Int(min(UInt64(count), size - offset))) : []
        }
        #expect(found.isEmpty)
    }

    @Test func passesOnWhatReadingThrows() {
        #expect(throws: Errno.ioError) {
            try DeviceSignature.found(size: 1 << 20) { _, _ in throw Errno.ioError }
        }
    }

    /// Everything on one side must be on the other.
    static func expectAgreement(_ found: [DeviceSignature], _ types: Set<String>) {
        // wipefs shows the mark of a boot sector too, which is no partition table.
        let isBootSector = found.contains { !Set(["ntfs", "exfat"]).isDisjoint(with: $0.names) }
        let types = isBootSector ? types.subtracting(["dos"]) : types
        #expect(types.isSubset(of: found.flatMap(\.names)), "wipefs: \(types), here: \(found.map(\.names))")
        for signature in found {
            #expect(!types.isDisjoint(with: signature.names), "wipefs: \(types), here: \(found.map(\.names))")
        }
    }

    /// The signatures in a file whose bytes for which `isZero` is true count as overwritten.
    static func found(
        in file: FilePath, isZero: @escaping (_ offset: UInt64, _ size: UInt64) -> Bool = { _, _ in false }
    ) throws -> [DeviceSignature] {
        let descriptor = try FileDescriptor.open(file, .readOnly)
        return try descriptor.closeAfter {
            let size = UInt64(try descriptor.seek(offset: 0, from: .end))
            return try DeviceSignature.found(size: size) { offset, count in
                if isZero(offset, size) { return [UInt8](repeating: 0, count: count) }
                var bytes = [UInt8](repeating: 0, count: count)
                let read = try unsafe bytes.withUnsafeMutableBytes {
                    try unsafe descriptor.read(fromAbsoluteOffset: Int64(offset), into: $0)
                }
                return Array(bytes[..<read])
            }
        }
    }

    static func wipefs(_ file: FilePath) throws -> Set<String> {
        Set(
            try Shell.run("${WIPEFS:-wipefs} --noheadings --output TYPE '\(file)'").split(
                whereSeparator: \.isWhitespace
            )
            .map(String.init))
    }
}
