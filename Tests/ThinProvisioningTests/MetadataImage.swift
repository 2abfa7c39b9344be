import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import ThinProvisioning

/// A pool's metadata in memory, which counts how often it is read.
final class MetadataImage: ThinMetadataSource {
    private struct State {
        var blocks: [[UInt8]]
        var reads = 0
        var onRead: [Int: @Sendable (inout [[UInt8]]) -> Void] = [:]
    }
    private let state: Mutex<State>

    init(_ blocks: [[UInt8]]) {
        state = Mutex(State(blocks: blocks))
    }

    /// Reads a file with metadata.
    convenience init(file: FilePath) throws {
        let descriptor = try FileDescriptor.open(file, .readOnly)
        self.init(
            try descriptor.closeAfter {
                var blocks: [[UInt8]] = []
                while true {
                    let block = try unsafe [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
                        count = try unsafe descriptor.read(into: UnsafeMutableRawBufferPointer(buffer))
                    }
                    if block.count < 4096 { return blocks }
                    blocks.append(block)
                }
            })
    }

    func readBlock(_ number: UInt64) throws -> [UInt8] {
        try state.withLock { state in
            state.reads += 1
            state.onRead[state.reads]?(&state.blocks)
            guard number < state.blocks.count else { throw Errno.invalidArgument }
            return state.blocks[Int(number)]
        }
    }

    /// How many blocks `body` reads.
    func reads(_ body: () throws -> Void) rethrows -> Int {
        let before = state.withLock { $0.reads }
        try body()
        return state.withLock { $0.reads } - before
    }

    /// Changes the blocks just before the n-th read from now on.
    func beforeRead(_ number: Int, _ change: @escaping @Sendable (inout [[UInt8]]) -> Void) {
        state.withLock { $0.onRead[$0.reads + number] = change }
    }

    var blocks: [[UInt8]] {
        get { state.withLock { $0.blocks } }
        set { state.withLock { $0.blocks = newValue } }
    }
}

extension [UInt8] {
    /// Makes the checksum of a block right, if the block is of some kind.
    mutating func seal(_ kind: MetadataBlock.Kind) {
        let bytes = self
        let checksum = unsafe CRC32C.checksum(bytes.span.bytes.extracting(4..<bytes.count)) ^ kind.rawValue
        put(checksum, at: 0)
    }

    /// Writes a number in little-endian order.
    mutating func put(_ value: some FixedWidthInteger, at offset: Int) {
        for byte in 0..<value.bitWidth / 8 { self[offset + byte] = UInt8(truncatingIfNeeded: value >> (8 * byte)) }
    }

    /// Reads a number of eight bytes.
    func long(at offset: Int) -> UInt64 {
        self[offset..<offset + 8].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}

/// The output of thin-provisioning-tools about the metadata in a file.
struct ThinTools {
    let file: FilePath

    /// The lines of `thin_ls`, as numbers.
    func list(_ columns: String) throws -> [[UInt64]] {
        try Shell.run("thin_ls --no-headers -o \(columns) '\(file)'").split(separator: "\n").map { line in
            line.split(separator: " ").compactMap { UInt64($0) }
        }
    }

    /// The mappings of a device: a triple of thin block, data block and time for each block.
    func mappings(of id: ThinDeviceID) throws -> [[UInt64]] {
        try Shell.run("thin_dump --dev-id \(id) '\(file)' | grep _mapping || true").split(separator: "\n").flatMap {
            line in
            let numbers = line.split { !$0.isNumber }.compactMap { UInt64($0) }
            let length = line.contains("range_mapping") ? numbers[2] : 1
            return (0..<length).map { [numbers[0] + $0, numbers[1] + $0, numbers[numbers.count - 1]] }
        }
    }
}

extension ThinPoolMetadata {
    /// As ``ThinTools/mappings(of:)``.
    func triples(of id: ThinDeviceID) throws -> [[UInt64]] {
        var triples: [[UInt64]] = []
        try mappings(of: id) { mapping in
            for block in mapping.thinBlocks {
                triples.append(
                    [block, mapping.dataBlock + block - mapping.thinBlocks.lowerBound, UInt64(mapping.time)])
            }
        }
        return triples
    }
}
