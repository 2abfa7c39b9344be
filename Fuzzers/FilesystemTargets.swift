import SystemPackage

@testable import BlockDevices
@testable import Filesystems

extension FuzzTarget {
    /// Superblocks of file systems.
    static let superblocks = FuzzTarget(name: "superblocks") { input in
        // The first byte chooses where the bytes stand: the superblock of btrfs is 64 KiB into the device.
        var reader = InputReader(input)
        let start = reader.byte() & 1 == 0 ? 0 : 0x10000
        let bytes = [UInt8](repeating: 0, count: start) + reader.remaining()
        let found = accepting {
            try DeviceSignature.found(size: UInt64(bytes.count)) { offset, count in
                Array(bytes.dropFirst(Int(offset)).prefix(count))
            }
        }
        demand(found != nil, "no content is refused")
        let superblock = accepting { () throws(BlockDeviceError) in
            try Superblock.probe(size: UInt64(bytes.count)) { (offset, count) throws(BlockDeviceError) in
                demand(Int(offset) + count <= bytes.count, "\(count) bytes are read at \(offset) of \(bytes.count)")
                return Array(bytes[Int(offset)..<Int(offset) + count])
            }
        }
        guard let superblock = superblock ?? nil else { return }
        let groups = superblock.uuid.split(separator: "-", omittingEmptySubsequences: false)
        demand(groups.map(\.count) == [8, 4, 4, 4, 12], "the UUID is “\(superblock.uuid)”")
        demand(groups.joined().allSatisfy(\.isHexDigit), "the UUID is “\(superblock.uuid)”")
    }

    /// Lines of mountinfo.
    static let mounts = FuzzTarget(name: "mounts") { input in
        let table = MountTable(parsing: input)
        let lines = input.split(separator: UInt8(ascii: "\n"))
        demand(table.entries.count <= lines.count, "\(lines.count) lines have \(table.entries.count) mounts")
        let sum = table.entries.reduce(0) { $0 + $1.mountPoint.length + $1.source.unicodeScalars.count }
        demand(sum <= input.count, "names of \(sum) bytes come out of \(input.count)")
        for line in lines where MountTable(parsing: Array(line)).entries.isEmpty {
            demand(table.entries.count < lines.count, "a line that is no mount makes one with others")
        }
    }
}
