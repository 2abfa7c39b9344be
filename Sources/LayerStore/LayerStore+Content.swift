internal import BlockDevices
internal import CShims
internal import Filesystems
public import LayerArchive
internal import SystemPackage

extension LayerStore {
    /// What a layer changed of its parent, by Docker's rules.
    ///
    /// A layer that is mounted is read where it is, and may be in use. Another one is mounted for the time of the call,
    /// read-only and at no place that anybody else sees; nothing is written to it, unless it was not unmounted properly
    /// before. No lock is held while the layers are read.
    ///
    /// - Parameters:
    ///   - id: The layer.
    ///   - parent: What to compare with; `nil` takes the layer that it was made from. The base device, which holds
    ///     nothing, makes everything an addition, and so does a parent that is not known, as in a root of Docker's.
    ///   - cancellation: Asked before each entry.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer`` for the layer or its parent; what the kernel says.
    public func changes(
        of id: LayerID, against parent: LayerID? = nil, cancellation: Cancellation = .never
    ) throws(LayerStoreError) -> ChangeSet {
        try attempting("compare layer \(id) with its parent") {
            try withDifference(of: id, against: parent, cancellation) { changes, _ in changes }
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
            try withDifference(of: id, against: parent, cancellation) { changes, directory in
                try directory.map { try changes.size(in: $0, cancellation: cancellation) } ?? 0
            }
        }
    }

    /// Writes what a layer changed of its parent as a tar archive, by Docker's rules.
    ///
    /// - Parameters:
    ///   - id: The layer.
    ///   - parent: As of ``changes(of:against:cancellation:)``.
    ///   - output: Where the archive goes.
    ///   - export: What goes into the archive, and whether the work is still wanted.
    /// - Returns: What was written.
    /// - Throws: `LayerArchiveError` as ``LayerStoreError/underlying``: `.output` when the archive cannot be written,
    ///   `.changedMeanwhile` when the layer is in use and a file was changed while it was read.
    @discardableResult
    public func exportChanges(
        of id: LayerID, against parent: LayerID? = nil, to output: any ArchiveOutput,
        _ export: LayerExport = LayerExport()
    ) throws(LayerStoreError) -> LayerExport.Summary {
        try attempting("write the changes of layer \(id)") {
            try withDifference(of: id, against: parent, export.cancellation) { changes, directory in
                // Without changes, the directory is not looked at.
                try export.write(changes, of: directory ?? FileDescriptor(rawValue: -1), to: output)
            }
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
    /// - Returns: What was unpacked, with the size that Docker calls the layer's.
    /// - Throws: `LayerArchiveError` as ``LayerStoreError/underlying``; part of the archive may be in the layer then.
    @discardableResult
    public func apply(
        _ archive: any ArchiveInput, to id: LayerID, _ extraction: LayerExtraction = LayerExtraction()
    ) throws(LayerStoreError) -> LayerExtraction.Summary {
        try attempting("apply an archive to layer \(id)") {
            _ = try existingLayer(id)
            let reader = TarReader(archive, cancellation: extraction.cancellation)
            // Before the layer is taken: what writes the archive may have to read layers before it begins, this one too.
            try reader.waitForInput()
            return try withPool(layers: [id]) { pool, _ in
                let content = try writableContent(of: id, in: pool)
                defer { close(content) }
                guard let directory = content.directory else {
                    throw LayerStoreError(.failed, "the layer has no directory rootfs")
                }
                let summary = try extraction.extract(reader, into: directory)
                // Of this file system alone: others would wait for the writing of everybody.
                let errno = Errno(rawValue: dmshim_sync_filesystem(directory.rawValue))
                guard errno.rawValue == 0 else {
                    throw LayerStoreError(
                        errno == .noSpace ? .notEnoughSpace : .failed,
                        "the content could not be written to the disk: \(errno)", underlying: errno)
                }
                return summary
            }
        }
    }

    /// Runs `body` with the changes of a layer and the directory of its content.
    private func withDifference<Result>(
        of id: LayerID, against parent: LayerID?, _ cancellation: Cancellation,
        _ body: (ChangeSet, FileDescriptor?) throws -> Result
    ) throws -> Result {
        let record = try existingLayer(id)
        let parent = try parent ?? record.parent.map { try $0 == LayerID.base.text ? .base : LayerID($0) } ?? .base
        var contents: [LayerContent] = []
        defer { for content in contents { close(content, locking: true) } }
        try withPool(layers: [id, parent]) { pool, _ in
            contents.append(try readableContent(of: id, in: pool))
            guard parent != .base else { return }
            contents.append(try readableContent(of: parent, as: "the parent layer", in: pool))
        }
        guard let upper = contents[0].directory else { return try body(ChangeSet(), nil) }
        guard contents.count > 1, let lower = contents[1].directory else {
            return try body(ChangeSet(of: upper, against: nil, cancellation: cancellation), upper)
        }
        let inodes = inodeComparison(contents[0], contents[1])
        let changes = try ChangeSet(
            of: upper, against: lower, isUnchanged: { inodes?.isUnchanged($0) ?? false }, cancellation: cancellation)
        // From here on, only the layer itself is read. Who gets the archive may want to change the parent.
        close(contents.removeLast(), locking: true)
        return try body(changes, upper)
    }

    /// The record of a layer that must exist.
    private func existingLayer(_ id: LayerID) throws -> LayerRecord {
        guard id != .base else {
            throw LayerStoreError(.invalidLayerID, "the base device is no layer, and has no content")
        }
        return try existing(id)
    }

    /// What the file systems of two layers say about all of their files at once; without it, each file is asked for.
    private func inodeComparison(_ one: LayerContent, _ other: LayerContent) -> InodeComparison? {
        guard let directory = one.directory, let otherDirectory = other.directory,
            !one.keepsTimesBack, !other.keepsTimesBack
        else { return nil }
        return try? InodeComparison(
            configuration.filesystem.type,
            .init(directory, on: DeviceNode.path(of: one.device)),
            .init(otherDirectory, on: DeviceNode.path(of: other.device)))
    }
}
