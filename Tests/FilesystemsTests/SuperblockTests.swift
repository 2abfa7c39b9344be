import BlockDevices
import SystemPackage
import TestSupport
import Testing

@testable import Filesystems

@Suite struct SuperblockTests {
    private func probe(_ bytes: [UInt8]) -> Superblock? {
        Superblock.probe(size: UInt64(bytes.count)) { offset, count in Array(bytes[Int(offset)...].prefix(count)) }
    }

    @Test(arguments: [
        ("mkfs.ext4 -q -F", FilesystemType.ext4, 1080), ("mkfs.xfs -q", .xfs, 0), ("mkfs.btrfs -q", .btrfs, 0x10040),
    ])
    func agreesWithBlkid(program: String, type: FilesystemType, magic: Int) throws {
        let scratch = try ScratchDirectory()
        let image = try scratch.makeSparseFile("image", size: 320 << 20)
        try Shell.run("\(program) \(image) >/dev/null")
        let uuid = try Shell.run("blkid -p -s UUID -o value \(image)")
        try Shell.run("truncate --size=72K \(image)")
        let bytes = try PseudoFile.read(image)
        let superblock = try #require(probe(bytes))
        #expect(superblock.type == type)
        #expect(superblock.uuid == uuid)
        #expect(superblock.size == 320 << 20)
        for length in [0, 1, 511, 512, 1023, 1080, 2047, 0x10000, 0x10041] {
            let found = probe(Array(bytes[..<length]))
            #expect(found == nil || found == superblock && length > magic + 4)
        }
        for bit in 0..<8 {
            var broken = bytes
            broken[magic] ^= 1 << UInt8(bit)
            #expect(probe(broken) == nil)
        }
    }

    @Test func randomBytesAreNoFilesystem() throws {
        var state: UInt64 = 7
        for _ in 0..<10 {
            let bytes = (0..<70_000).map { _ in
                state = state &* 6_364_136_223_846_793_005 &+ 1
                return UInt8(truncatingIfNeeded: state >> 40)
            }
            #expect(probe(bytes) == nil)
        }
    }
}
