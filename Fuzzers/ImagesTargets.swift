import Glibc
import LayerArchive
import SystemPackage

@testable import Images

extension FuzzTarget {
    /// Records of layers' archives, compressed bytes, configurations, archives of images, and tar archives that are recorded;
    /// the first byte says which.
    static let images = FuzzTarget(name: "images") { input in
        var reader = InputReader(input)
        let choice = reader.byte() % 6
        let content = reader.remaining()
        accepting { () throws in
            switch choice {
            case 0:
                let pieces = TarSplitInput(ArchiveInMemory(content), from: "record")
                while let piece = try pieces.next() {
                    if case .file(_, let size, _) = piece { demand(size >= 0, "a file has a negative size") }
                }
            case 1: try readSome(of: DecompressedInput(ArchiveInMemory(content), .gzip))
            case 2: try readSome(of: DecompressedInput(ArchiveInMemory(content), .zstd))
            case 3:
                let configuration = try ImageConfiguration(content, called: "configuration")
                let changed = try configuration.replacing(layers: configuration.layers.reversed())
                demand(changed.layers == configuration.layers.reversed(), "layers are lost")
            case 4: try findImages(in: content)
            default: try record(content)
            }
        }
    }

    /// Reads the beginning: a small input can have a large content.
    private static func readSome(of input: any ArchiveInput) throws {
        var count = 1
        for _ in 0..<1000 where count > 0 {
            var piece: [UInt8] = []
            try piece.append(addingCapacity: 1 << 16) { (free) throws(Errno) in try input.read(into: &free) }
            count = piece.count
        }
    }

    private static func findImages(in content: [UInt8]) throws {
        let path = FilePath("/dev/shm/fuzz-\(getpid())")
        let file = try FileDescriptor.open(
            path, .readWrite, options: [.create, .truncate], permissions: [.ownerReadWrite])
        _ = unsafe unlink(path.string)
        try file.writeAll(content)
        let index = try ArchiveIndex(file, size: Int64(content.count), cancellation: .never)
        for image in try ArchiveContents(index, note: { _ in }).images() {
            demand(image.layers.count == image.configuration.layers.count, "an image has too many layers")
            for layer in image.layers { _ = try index.content(layer.name) }
        }
    }

    /// A recorder gets all bytes of an archive, in their order.
    private static func record(_ content: [UInt8]) throws {
        let recorder = AllBytes()
        let reader = TarReader(ArchiveInMemory(content), recorder: recorder)
        while try reader.next() != nil {
            // Every other entry is passed over.
            if recorder.bytes.count % 1024 == 0 { try reader.readContents { _, _ in } }
        }
        try reader.drain()
        demand(recorder.bytes == content, "\(content.count) bytes are read and \(recorder.bytes.count) recorded")
    }
}

private final class AllBytes: ArchiveRecorder {
    private(set) var bytes: [UInt8] = []

    func record(_ more: Span<UInt8>) throws(LayerArchiveError) {
        for index in more.indices { bytes.append(more[index]) }
    }

    func record(contents: Span<UInt8>, of entry: TarEntry) throws(LayerArchiveError) { try record(contents) }
}
