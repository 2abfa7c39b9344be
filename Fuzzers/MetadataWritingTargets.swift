import Glibc
import SystemPackage

@testable import ThinProvisioning

extension FuzzTarget {
    /// Metadata as XML, restored to a file.
    static let documents = FuzzTarget(name: "documents") { input in
        let file = scratchFile("documents", blocks: 64)
        var reader = ThinMetadataDocumentReader(input)
        accepting {
            var writer = try ThinMetadataWriter(file)
            try reader.read(into: &writer)
            demand(writer.isComplete, "the document ends, and the metadata is not complete")
            try requireReadable(file)
        }
    }

    /// A pool's metadata with bytes changed, repaired to another file.
    static let repairs = FuzzTarget(name: "repairs") { input in
        let image = MetadataImage(changing: input)
        let (file, copy) = (scratchFile("damaged", blocks: 0), scratchFile("repaired", blocks: 2048))
        accepting {
            let descriptor = try FileDescriptor.open(file, .writeOnly)
            try descriptor.closeAfter {
                for block in 0..<UInt64(image.count) { try descriptor.writeAll(image.readBlock(block)) }
            }
            try ThinMetadataRepair(file).write(to: copy)
            try requireReadable(copy)
        }
    }

    /// A file in memory, of this process.
    private static func scratchFile(_ name: String, blocks: Int) -> FilePath {
        let path = FilePath("/dev/shm/dmlayer-fuzz-\(name)-\(getpid())")
        accepting {
            let file = try FileDescriptor.open(
                path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
            _ = try file.closeAfter { ftruncate(file.rawValue, blocks * ThinPoolMetadata.blockSize) }
        }
        return path
    }

    private static func requireReadable(_ file: FilePath) throws {
        do {
            let metadata = try ThinPoolMetadata(reading: ThinMetadataDevice(file))
            for device in try metadata.devices() {
                var mapped: UInt64 = 0
                try metadata.mappings(of: device.id) { mapped += UInt64($0.thinBlocks.count) }
                demand(
                    mapped == device.mappedBlocks, "device \(device.id) says \(device.mappedBlocks) and has \(mapped)")
                _ = try metadata.exclusiveBlocks(of: device.id)
            }
        } catch let error as ThinMetadataError {
            demand(false, "what was written cannot be read: \(error)")
        }
    }
}
