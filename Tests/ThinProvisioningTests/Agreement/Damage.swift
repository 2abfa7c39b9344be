import SystemPackage
import TestSupport
import Testing

@testable import ThinProvisioning

/// One damage of a pool's metadata, whose checksums are right all the same, or of its checksums.
struct Damage: CustomStringConvertible {
    let description: String
    private let change: @Sendable (inout [[UInt8]]) -> Void

    /// A damage that a number stands for.
    ///
    /// - Parameter used: The blocks that are not zero.
    init(seed: UInt64, used: [Int]) {
        var random = SeededRandom(seed: seed)
        let block = used[Int(random.next() % UInt64(used.count))]
        let other = used[Int(random.next() % UInt64(used.count))]
        switch random.next() % 8 {
        case 0:
            description = "\(seed): block \(block) is zero"
            change = { $0[block] = [UInt8](repeating: 0, count: 4096) }
        case 1:
            description = "\(seed): blocks \(block) and \(other) are exchanged"
            change = { $0.swapAt(block, other) }
        case 2:
            description = "\(seed): block \(block) is that of block \(other), with its own number"
            change = {
                $0[block] = $0[other]
                $0[block].put(UInt64(block), at: 8)
                $0[block].mend($0[other])
            }
        case 3:
            let place = Int(random.next() % 4096)
            description = "\(seed): block \(block) has another byte \(place), and the old checksum"
            change = { $0[block][place] ^= 1 << UInt8(seed % 8) }
        default:
            // The beginning of a block has more of meaning.
            let place = random.next() % 2 == 0 ? Int(random.next() % 4092) + 4 : Int(random.next() % 360) + 4
            let bit = UInt8(random.next() % 8)
            description = "\(seed): block \(block) has another bit \(bit) of byte \(place)"
            change = {
                let before = $0[block]
                $0[block][place] ^= 1 << bit
                $0[block].mend(before)
            }
        }
    }

    func apply(to blocks: [[UInt8]]) -> [[UInt8]] {
        var blocks = blocks
        change(&blocks)
        return blocks
    }
}

extension [UInt8] {
    /// Makes the checksum right for the kind that another content of the block had.
    fileprivate mutating func mend(_ before: [UInt8]) {
        let checksum = unsafe CRC32C.checksum(before.span.bytes.extracting(4..<before.count))
        let stored = before[0..<4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        if let kind = MetadataBlock.Kind(rawValue: stored ^ checksum) { seal(kind) }
    }
}

/// Compares the verdicts on damages, many at a time: thin_check sleeps half a second, and does not always end.
struct DamageComparison {
    /// Parts of our findings on metadata of which thin_check 1.1.0 finds nothing wrong, each with the reason why it is damage.
    private static let ownFindings = [
        "there is no superblock of a thin pool": "the kernel refuses another magic number",
        "the pool has features": "of blocks of metadata of another size, the format says nothing",
        "no pool has blocks of": "the kernel refuses another size of blocks than the table's",
        "it has the number of another block in it": "the kernel compares the number when it reads a block",
        "it is neither a leaf nor an internal node": "the kernel refuses such a node",
        "the index below it does not have one entry": "the kernel does not find the bitmap of a block",
        "trees of mappings cannot be walked": "thin_check takes 32 bits of the root, and the kernel takes 64",
    ]

    private let peers: Peers
    private let original: [[UInt8]]

    init(_ peers: Peers) throws {
        self.peers = peers
        original = try MetadataImage(file: peers.file).blocks
    }

    func run(_ seeds: Range<UInt64>) throws {
        let zero = [UInt8](repeating: 0, count: 4096)
        let used = original.indices.filter { original[$0] != zero }
        let damages = seeds.map { Damage(seed: $0, used: used) }
        for start in stride(from: 0, to: damages.count, by: 24) {
            let part = Array(damages[start..<min(start + 24, damages.count)])
            let images = part.map { $0.apply(to: original) }
            for (index, image) in images.enumerated() {
                let path = peers.scratch.appending("damaged\(index)")
                try Shell.run("cp --sparse=always '\(peers.file)' '\(path)'")
                let file = try FileDescriptor.open(path, .writeOnly)
                try file.closeAfter {
                    for block in image.indices where image[block] != original[block] {
                        try file.writeAll(toAbsoluteOffset: Int64(4096 * block), image[block])
                    }
                }
            }
            let theirs = try Shell.run(
                """
                cd '\(peers.scratch.path)'
                for i in \(part.indices.map { "\($0)" }.joined(separator: " ")); do
                    { timeout 3 '\(Peers.folder ?? "")'/thin_check damaged$i > said$i 2>&1; echo $? > status$i; } &
                done
                wait
                cat \(part.indices.map { "status\($0)" }.joined(separator: " "))
                """
            ).split(separator: "\n").compactMap { Int($0) }
            for (index, damage) in part.enumerated() {
                try compare(damage, index, images[index], theirs[index])
            }
        }
    }

    private func compare(_ damage: Damage, _ index: Int, _ image: [[UInt8]], _ status: Int) throws {
        let file = peers.scratch.appending("damaged\(index)")
        var findings = ""
        var isGood = false
        do {
            let report = try ThinMetadataCheck.report(on: ThinPoolMetadata(reading: ThinMetadataDevice(file)))
            findings = report.findings.map { "\($0.severity): \($0.message)" }.joined(separator: " | ")
            isGood = (report.severity ?? .note) == .note
        } catch let error as ThinMetadataError {
            findings = "\(error)"
        }
        guard isGood != (status == 0) else { return }
        // Where the machine is busy, the time may have been too short.
        let said = peers.scratch.appending("said\(index)")
        let alone = "timeout 20 '\(Peers.folder ?? "")'/thin_check '\(file)' > '\(said)' 2>&1"
        let again = status == 124 ? try Shell.runForStatus(alone).status : status
        guard isGood != (again == 0) else { return }
        if again == 0, Self.ownFindings.keys.contains(where: findings.contains) { return }
        Issue.record("\(damage): thin_check ended with \(again): \(try TextFile.read(said)); ours: \(findings)")
    }
}
