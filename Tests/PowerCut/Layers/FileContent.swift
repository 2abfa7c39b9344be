import Glibc
import SystemPackage

/// The content of the files in the layers: blocks that name their file.
///
/// A block repeats the stamp of the write, its file and its place.
enum FileContent {
    /// No larger than the unit that a disk writes as a whole, so that a block has one stamp in every case.
    static let blockSize = 512
    /// The files and how many blocks each has.
    static let blockCounts = ["f0": 8, "f1": 20, "f2": 64, "f3": 160, "f4": 16, "f5": 320]
    static let names = blockCounts.keys.sorted()

    static func block(_ index: Int, of name: String, stamp: String) -> [UInt8] {
        let line = "\(stamp) \(name) \(index)\n"
        return Array(String(repeating: line, count: blockSize / line.utf8.count + 1).utf8.prefix(blockSize))
    }

    /// Writes a file, over what is there.
    static func write(_ name: String, stamp: String, in directory: FilePath, synchronizing: Bool) throws {
        let file = try FileDescriptor.open(
            directory.appending(name), .writeOnly, options: [.create, .closeOnExec], permissions: .ownerReadWrite)
        try file.closeAfter {
            try file.writeAll((0..<(blockCounts[name] ?? 0)).flatMap { block($0, of: name, stamp: stamp) })
            if synchronizing { try file.synchronize() }
        }
        guard synchronizing else { return }
        let parent = try FileDescriptor.open(directory, .readOnly, options: [.directory, .closeOnExec])
        try parent.closeAfter { try parent.synchronize() }
    }

    /// The fault of a file, or `nil`.
    static func fault(in name: String, _ expected: Expectations.File, in directory: FilePath) throws -> String? {
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(directory.appending(name), .readOnly, options: [.closeOnExec])
        } catch Errno.noSuchFileOrDirectory {
            return expected.isRequired ? "is missing" : nil
        }
        return try file.closeAfter {
            for index in 0..<(blockCounts[name] ?? 0) {
                var found = [UInt8](repeating: 0, count: blockSize)
                let count = try unsafe found.withUnsafeMutableBytes {
                    unsafe try file.read(fromAbsoluteOffset: Int64(index * blockSize), into: $0)
                }
                if !expected.isRequired, found.allSatisfy({ $0 == 0 }) { continue }
                let stamp = String(decoding: found.prefix { $0 != 0x20 }, as: UTF8.self)
                let isWhole = count == blockSize && found == block(index, of: name, stamp: stamp)
                guard isWhole, expected.stamps.contains(stamp) else {
                    return "has in block \(index), of \(count) bytes, what begins with “\(stamp.prefix(40))”"
                }
            }
            return nil
        }
    }
}

extension FileDescriptor {
    /// Makes what was written durable.
    func synchronize() throws(Errno) {
        guard fsync(rawValue) == 0 else { throw Errno(rawValue: errno) }
    }
}
