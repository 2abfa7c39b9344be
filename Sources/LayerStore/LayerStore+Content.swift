public import LayerArchive
public import SystemPackage

/// The content of layers as archives.
extension LayerStore {
    /// The differences between a layer and its parent, by Docker's rules.
    ///
    /// A layer that is mounted is read where it is, and may be in use. Another one is mounted for the time of the call,
    /// read-only and at no place that anybody else sees; nothing is written to it, unless it was not unmounted properly
    /// before. No lock is held while the layers are read.
    ///
    /// - Parameters:
    ///   - id: The layer.
    ///   - parent: The layer to compare with; `nil` takes the layer that it was made from. The base device, which holds
    ///     nothing, makes everything an addition, and so does a parent that is not known, as in a root of Docker's.
    ///   - cancellation: Asked before each entry.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer`` for the layer or its parent; the kernel's error.
    public func changes(
        of id: LayerID, against parent: LayerID? = nil, cancellation: Cancellation = .never
    ) throws(LayerStoreError) -> ChangeSet {
        try attempting("compare layer \(id) with its parent") {
            try LayerDifference(core: core).run(of: id, against: parent, cancellation) { changes, _ in changes }
        }
    }

    /// How many bytes a layer adds to its parent, as Docker counts them (`DiffSize`): the sizes of all files that were
    /// added or modified, each once, however many names it has.
    ///
    /// - Parameters: As of ``changes(of:against:cancellation:)``.
    public func sizeOfChanges(
        of id: LayerID, against parent: LayerID? = nil, cancellation: Cancellation = .never
    ) throws(LayerStoreError) -> Int64 {
        try attempting("count the changes of layer \(id)") {
            try LayerDifference(core: core).run(of: id, against: parent, cancellation) { changes, directory in
                try directory.map { try changes.size(in: $0, cancellation: cancellation) } ?? 0
            }
        }
    }

    /// Writes the differences between a layer and its parent as a tar archive, by Docker's rules.
    ///
    /// - Parameters:
    ///   - id: The layer.
    ///   - parent: As of ``changes(of:against:cancellation:)``.
    ///   - output: Where the archive goes.
    ///   - export: The settings of the archive, with the cancellation.
    /// - Returns: The numbers of entries and bytes that were written.
    /// - Throws: `LayerArchiveError` as ``LayerStoreError/underlying``: `.output` when the archive cannot be written,
    ///   `.changedMeanwhile` when the layer is in use and a file was changed while it was read.
    @discardableResult
    public func exportChanges(
        of id: LayerID, against parent: LayerID? = nil, to output: any ArchiveOutput,
        _ export: LayerExport = LayerExport()
    ) throws(LayerStoreError) -> LayerExport.Summary {
        try attempting("write the changes of layer \(id)") {
            try LayerDifference(core: core).run(of: id, against: parent, export.cancellation) { changes, directory in
                // Without changes, the directory is not looked at.
                try export.write(changes, of: directory ?? FileDescriptor(rawValue: -1), to: output)
            }
        }
    }

    /// Lends the directory of a layer's content, for reading.
    ///
    /// The layer is opened as for ``changes(of:against:cancellation:)``, and no lock is held while `body` runs.
    ///
    /// - Parameters:
    ///   - id: The layer.
    ///   - body: Gets the directory; `nil` for a layer that was never mounted.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``, or the kernel's error.
    public func withContent<Result>(
        of id: LayerID, _ body: (FileDescriptor?) -> Result
    ) throws(LayerStoreError) -> Result {
        try attempting("read layer \(id)") {
            guard id != .base else {
                throw LayerStoreError(.invalidLayerID, "the base device is no layer, and has no content")
            }
            return try LayerDifference(core: core).reading(id, body)
        }
    }

    /// Unpacks a layer archive onto a layer, by Docker's rules.
    ///
    /// A layer that is not mounted is mounted for the time of the call, at no place that anybody else sees. When the call
    /// returns, all of the content is on the disk. Nobody can mount, copy or remove the layer meanwhile.
    ///
    /// - Parameters:
    ///   - archive: Where the archive comes from.
    ///   - id: The layer.
    ///   - extraction: Whether the work is still wanted.
    /// - Returns: The numbers of entries that were unpacked, with the size that Docker calls the layer's.
    /// - Throws: `LayerArchiveError` as ``LayerStoreError/underlying``; part of the archive may be in the layer then.
    @discardableResult
    public func apply(
        _ archive: any ArchiveInput, to id: LayerID, _ extraction: LayerExtraction = LayerExtraction()
    ) throws(LayerStoreError) -> LayerExtraction.Summary {
        try apply(TarReader(archive, cancellation: extraction.cancellation), to: id, extraction, flushes: true)
    }

    /// Unpacks the archive of a reader that is at its beginning, as ``apply(_:to:_:)`` does.
    ///
    /// - Parameters:
    ///   - reader: The reader, with the same cancellation.
    ///   - id: The layer.
    ///   - extraction: Whether the work is still wanted.
    ///   - flushes: Whether the content is on the disk for certain when the call returns. Without, the pool is not committed
    ///     where the layer has ext4, and after a crash before ``flush(_:)`` the layer can only be removed.
    package func apply(
        _ reader: TarReader, to id: LayerID, _ extraction: LayerExtraction, flushes: Bool
    ) throws(LayerStoreError) -> LayerExtraction.Summary {
        try attempting("apply an archive to layer \(id)") {
            try LayerDifference(core: core).apply(reader, to: id, extraction, flushes: flushes)
        }
    }

    /// Has all that was unpacked without being flushed on the disk for certain, in this layer and in all others.
    ///
    /// This costs one commit of the pool.
    ///
    /// - Parameter id: A layer that nobody has open.
    package func flush(_ id: LayerID) throws(LayerStoreError) {
        try attempting("write layer \(id) to the disk") { try LayerDifference(core: core).flush(id) }
    }
}
