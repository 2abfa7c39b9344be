#if Images
internal import LayerArchive
internal import LayerStore
internal import SystemPackage

/// Makes a layer of the store from the archive of an image's layer.
struct LayerIntake {
    private let images: ImageStore
    private let archive: any ArchiveFiles

    init(_ images: ImageStore, _ archive: any ArchiveFiles) {
        self.images = images
        self.archive = archive
    }

    /// Makes the layer, and makes it known when its content is what its digest says.
    ///
    /// - Throws: After an error the layer is left as it is; the journal names it.
    func take(_ step: LayerPlan.Step) throws {
        let record = try images.store.create(step.content, parent: step.parent)
        let folder = images.files.workFolder(of: step.content)
        try DurableDirectory.make(folder)
        let stored = DigestingInput(try archive.existing(step.source.name))
        let begun = try BegunInput(stored)
        let decompressing = try begun.decompressed()
        // No content has more bytes than the layer's device; without the limit, a little input could become very large.
        let plain = DigestingInput(decompressing ?? begun, limit: Int64(clamping: record.size))
        let size: Int64
        do {
            size = try unpack(plain, to: step.content, recordingIn: folder.appending("tar-split.json.gz"))
        } catch {
            if plain.isTooLarge {
                throw ImageError(.damaged, "its archive has more bytes than the \(record.size) of the layer's device")
            }
            if let complaint = decompressing?.complaint {
                throw ImageError(.damaged, "its archive cannot be decompressed: \(complaint)")
            }
            throw error
        }
        guard plain.digest == step.digest else {
            throw ImageError(.damaged, "its archive has the digest \(plain.digest), and should have \(step.digest)")
        }
        if let blob = step.source.blob, stored.digest != blob {
            throw ImageError(
                .damaged, "its compressed archive has the digest \(stored.digest), and should have \(blob)")
        }
        try write(step, size, in: folder)
        try images.files.addLayer(step.chain, with: step.content)
    }

    /// Unpacks the archive, and writes the record from which it can be made again.
    ///
    /// - Returns: The size of the layer as Docker counts it.
    private func unpack(_ input: any ArchiveInput, to layer: LayerID, recordingIn path: FilePath) throws -> Int64 {
        let file: FileDescriptor
        do {
            file = try .open(
                path, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: [.ownerReadWrite])
        } catch {
            throw ImageError(.output, "cannot make \(path): \(error)")
        }
        return try file.closeAfter {
            let output = try GzipOutput(file)
            let recorder = TarSplitOutput(output)
            let ahead = BackgroundInput(input)
            defer { ahead.stop() }
            let reader = TarReader(ahead, cancellation: images.cancellation, recorder: recorder)
            let summary = try images.store.apply(
                reader, to: layer, LayerExtraction(cancellation: images.cancellation), flushes: false)
            if summary.refusedAttributes > 0 {
                images.note(
                    "the file system of the layers did not take \(summary.refusedAttributes) extended attributes of a layer"
                )
            }
            try recorder.finish()
            try output.finish()
            return summary.size
        }
    }

    private func write(_ step: LayerPlan.Step, _ size: Int64, in folder: FilePath) throws {
        var contents = [("cache-id", step.content.text), ("diff", "\(step.digest)"), ("size", "\(size)")]
        if let below = step.below { contents.append(("parent", "\(below)")) }
        for (name, text) in contents {
            let path = folder.appending(name)
            do {
                let file = try FileDescriptor.open(
                    path, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: [.ownerReadWrite])
                _ = try file.closeAfter { try file.writeAll(text.utf8) }
            } catch {
                throw ImageError(.output, "cannot write \(path): \(error)")
            }
        }
    }
}
#endif
