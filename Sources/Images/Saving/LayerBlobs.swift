#if Images
internal import LayerArchive
internal import LayerStore
internal import SystemPackage

/// A content in an archive of images.
struct Blob: Hashable {
    let digest: ContentDigest
    let size: Int64

    /// The path in the archive.
    var path: String { digest.blobPath }
}

/// Writes the archives of layers into an archive of images, each one once.
struct LayerBlobs {
    /// The size in bytes of the end of an archive: two blocks of zeros.
    private static let sizeOfEnd: Int64 = 1024

    private let store: LayerStore
    private let writer: TarWriter
    private let cancellation: Cancellation
    private let note: (String) -> Void
    private var written: [SavedImage.Source: Blob] = [:]
    private var digests: Set<ContentDigest> = []

    init(_ store: LayerStore, _ writer: TarWriter, _ cancellation: Cancellation, note: @escaping (String) -> Void) {
        self.store = store
        self.writer = writer
        self.cancellation = cancellation
        self.note = note
    }

    /// Writes the archive of a layer, unless it is there.
    ///
    /// - Returns: `nil` for a container that changed nothing: it adds no layer to its image.
    mutating func write(_ source: SavedImage.Source) throws -> Blob? {
        if let blob = written[source] { return blob }
        let blob: Blob
        switch source {
        case .recorded(let layer): blob = try write(layer)
        case .changes(let id, let parent):
            blob = try writeChanges(of: id, against: parent)
            // The archive of no file has nothing but its end.
            guard blob.size > Self.sizeOfEnd else { return nil }
        }
        written[source] = blob
        return blob
    }

    /// Writes some bytes.
    mutating func write(_ content: [UInt8]) throws -> Blob {
        let blob = Blob(digest: ContentDigest(of: content), size: Int64(content.count))
        guard digests.insert(blob.digest).inserted else { return blob }
        try begin(blob)
        try writer.write(content.span)
        return blob
    }

    private func begin(_ blob: Blob) throws(LayerArchiveError) {
        var entry = TarEntry(path: Array(blob.path.utf8), kind: .file, permissions: 0o644)
        entry.size = blob.size
        try writer.append(entry)
    }

    private mutating func write(_ layer: StoredLayer) throws -> Blob {
        if digests.contains(layer.digest), let blob = written.values.first(where: { $0.digest == layer.digest }) {
            return blob
        }
        let reason: String
        do {
            let blob = Blob(digest: layer.digest, size: try LayerRebuild(tarSplit: layer.tarSplit).size())
            guard let fault = try rebuild(layer, as: blob) else {
                digests.insert(blob.digest)
                return blob
            }
            reason = fault
        } catch let error as ImageError {
            reason = error.description
        }
        let blob = try writeChanges(of: layer.content, against: layer.parent ?? .base)
        note(
            "the archive of layer \(layer.digest.short) could not be made as it was: \(reason). The layer is saved as it is now; "
                + "its digest is \(blob.digest), and each image with it gets another id")
        return blob
    }

    /// Writes a layer's archive as Docker recorded it.
    ///
    /// When the layer has changed, the archive of images has a content that nothing in it names.
    ///
    /// - Returns: The first difference; `nil` for the archive as it was.
    private func rebuild(_ layer: StoredLayer, as blob: Blob) throws -> String? {
        let result = try store.withContent(of: layer.content) { directory in
            Result { () throws -> LayerRebuild.Outcome in
                guard let directory else { throw ImageError(.incomplete, "layer \(layer.content) has no content") }
                try begin(blob)
                var written: Int64 = 0
                do {
                    return try LayerRebuild(tarSplit: layer.tarSplit).write(from: directory) { piece in
                        try writer.write(piece)
                        written += Int64(piece.count)
                    }
                } catch let error as ImageError {
                    // The record has changed since it was measured. The archive of images goes on behind this entry.
                    try writer.writeZeros(max(0, blob.size - written))
                    throw error
                }
            }
        }
        let outcome = try result.get()
        guard outcome.digest != blob.digest else { return nil }
        return outcome.firstFault ?? "its digest is \(outcome.digest), although no file has changed"
    }

    /// Writes what a layer changed: once to learn size and digest, which come first in the archive, and once into it.
    private mutating func writeChanges(of id: LayerID, against parent: LayerID) throws -> Blob {
        // Such a file would delete another one where the layer is unpacked.
        let export = LayerExport(reservedNames: .leftOut, cancellation: cancellation)
        let measured = MeasuringOutput()
        let summary = try store.exportChanges(of: id, against: parent, to: measured, export)
        if summary.reservedNames > 0 {
            note("left out of layer \(id): \(summary.reservedNames) files whose own names begin with .wh.")
        }
        let blob = Blob(digest: measured.digest, size: measured.size)
        guard !digests.contains(blob.digest) else { return blob }
        try begin(blob)
        let output = EntryOutput(writer)
        do {
            try store.exportChanges(of: id, against: parent, to: output, export)
        } catch {
            // The archive of images goes on behind this entry.
            try writer.writeZeros(max(0, blob.size - output.size))
            throw output.failure ?? error
        }
        guard output.digest.value == blob.digest else {
            throw ImageError(.incomplete, "layer \(id) changed while it was saved; stop what writes to it")
        }
        digests.insert(blob.digest)
        return blob
    }
}
#endif
