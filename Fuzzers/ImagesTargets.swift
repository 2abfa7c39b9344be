import LayerArchive
import SystemPackage

@testable import Images

extension FuzzTarget {
    /// Docker's record of a layer's archive, gzip, and configurations of images; the first byte says which.
    static let images = FuzzTarget(name: "images") { input in
        var reader = InputReader(input)
        let choice = reader.byte() % 3
        let content = reader.remaining()
        accepting { () throws in
            switch choice {
            case 0:
                let pieces = TarSplitInput(ArchiveInMemory(content), from: "record")
                while let piece = try pieces.next() {
                    if case .file(_, let size, _) = piece { demand(size >= 0, "a file has a negative size") }
                }
            case 1:
                let gzip = try GzipInput(ArchiveInMemory(content))
                var count = 1
                // A small input can have a large content.
                for _ in 0..<1000 where count > 0 {
                    var piece: [UInt8] = []
                    try piece.append(addingCapacity: 1 << 16) { (free) throws(Errno) in try gzip.read(into: &free) }
                    count = piece.count
                }
            default:
                let configuration = try ImageConfiguration(content, at: "configuration")
                let changed = try configuration.replacing(layers: configuration.layers.reversed())
                demand(changed.layers == configuration.layers.reversed(), "layers are lost")
            }
        }
    }
}
