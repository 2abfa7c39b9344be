#if Images
internal import LayerArchive
internal import SystemCalls
internal import SystemPackage

/// Makes the archive of a layer again, byte for byte, from Docker's record of it and the files of the layer.
struct LayerRebuild {
    /// The archive that was written.
    struct Outcome {
        let digest: ContentDigest
        /// The first file that is not what it was, and why.
        let firstFault: String?
    }

    private static let pieceSize = 1 << 20

    let tarSplit: FilePath

    /// How many bytes the archive has.
    func size() throws -> Int64 {
        try TarSplitInput.reading(tarSplit) { input in
            var size: Int64 = 0
            while let piece = try input.next() {
                let length =
                    switch piece {
                    case .bytes(let bytes): Int64(bytes.count)
                    case .file(_, let size, _): size
                    }
                let sum = size.addingReportingOverflow(length)
                guard !sum.overflow else {
                    throw ImageError(.damaged, "\(tarSplit) is damaged: its sizes are too large")
                }
                size = sum.partialValue
            }
            return size
        }
    }

    /// Writes the archive.
    ///
    /// Zeros take the place of what cannot be read, so that the archive has its size; its digest is another one then.
    ///
    /// - Parameters:
    ///   - root: The root directory of the layer.
    ///   - write: Takes one piece after the other.
    func write(from root: FileDescriptor, _ write: (Span<UInt8>) throws -> Void) throws -> Outcome {
        var digest = RunningDigest()
        var firstFault: String?
        func put(_ bytes: Span<UInt8>) throws {
            digest.update(bytes)
            try write(bytes)
        }
        try TarSplitInput.reading(tarSplit) { input in
            while let piece = try input.next() {
                switch piece {
                case .bytes(let bytes): try put(bytes.span)
                case .file(let name, let size, let checksum) where size > 0:
                    let fault = try Self.copy(name, size, checksum, from: root, put)
                    firstFault = firstFault ?? fault
                case .file: break
                }
            }
        }
        return Outcome(digest: digest.value, firstFault: firstFault)
    }

    /// Copies the content of a file.
    ///
    /// - Returns: In what the file differs from its record.
    private static func copy(
        _ name: [UInt8], _ size: Int64, _ checksum: UInt64?, from root: FileDescriptor,
        _ put: (Span<UInt8>) throws -> Void
    ) throws -> String? {
        var rest = size
        var sum = CRC64()
        var fault: String?
        do {
            let (file, found) = try LayerFile.open(name, in: root)
            // It was only read.
            defer { try? file.close() }
            if found != size { fault = "has \(found) bytes instead of \(size)" }
            var piece: [UInt8] = []
            while rest > 0 {
                piece.removeAll(keepingCapacity: true)
                try piece.append(addingCapacity: Int(min(rest, Int64(pieceSize)))) { (free) throws(Errno) in
                    try file.read(into: &free)
                }
                guard !piece.isEmpty else { break }
                sum.update(piece.span)
                try put(piece.span)
                rest -= Int64(piece.count)
            }
        } catch let error as Errno {
            fault = "cannot be read: \(error)"
        }
        let zeros = [UInt8](repeating: 0, count: Int(min(rest, Int64(pieceSize))))
        while rest > 0 {
            let count = Int(min(rest, Int64(zeros.count)))
            try put(zeros.span.extracting(first: count))
            rest -= Int64(count)
        }
        if fault == nil, let checksum, checksum != sum.value { fault = "has another content" }
        return fault.map { "“\(LayerFile.printable(name))” \($0)" }
    }
}
#endif
