internal import BlockDevices
internal import CShims
internal import DeviceMapper
internal import Filesystems
internal import LayerArchive
internal import SystemCalls
internal import SystemPackage

/// Compares layers, writes their changes, and applies archives to them.
struct LayerDifference {
    let core: StoreCore

    private var content: OpenContent { OpenContent(core: core) }

    /// Runs `body` with the changes of a layer and the directory of its content; without changes there may be none.
    ///
    /// No lock is held while layers are read.
    func run<Result>(
        of id: LayerID, against parent: LayerID?, _ cancellation: Cancellation,
        _ body: (ChangeSet, FileDescriptor?) throws -> Result
    ) throws -> Result {
        let record = try existingLayer(id)
        let parent = try parent ?? record.parent.map { try $0 == LayerID.base.text ? .base : LayerID($0) } ?? .base
        var contents: [LayerContent] = []
        defer { for opened in contents { content.close(opened, locking: true) } }
        try StoreSession.run(in: core, locking: [id, parent]) { session, layers in
            contents.append(try content.forReading(layers[0], in: session.pool))
            guard parent != .base else { return }
            contents.append(try content.forReading(layers[1], as: "the parent layer", in: session.pool))
        }
        guard let upper = contents[0].directory else { return try body(ChangeSet(), nil) }
        guard contents.count > 1, let lower = contents[1].directory else {
            return try body(ChangeSet(of: upper, against: nil, cancellation: cancellation), upper)
        }
        let inodes = inodeComparison(contents[0], contents[1])
        let changes = try ChangeSet(
            of: upper, against: lower, isUnchanged: { inodes?.isUnchanged($0) ?? false }, cancellation: cancellation)
        // From here on, only the layer itself is read. The receiver of the archive may want to change the parent.
        content.close(contents.removeLast(), locking: true)
        return try body(changes, upper)
    }

    /// Unpacks a layer archive onto a layer; all of it is on the disk when this returns.
    ///
    /// - Parameter flushes: Whether it is on the disk for certain; without, ``flush(_:)`` has to follow.
    func apply(
        _ reader: TarReader, to id: LayerID, _ extraction: LayerExtraction, flushes: Bool
    ) throws -> LayerExtraction.Summary {
        _ = try existingLayer(id)
        // Before the layer is taken: the program that writes the archive may have to read layers before it begins, this one too.
        try reader.waitForInput()
        return try StoreSession.run(in: core, locking: [id]) { session, layers in
            let opened = try content.forWriting(layers[0], in: session.pool, flushes: flushes)
            defer { content.close(opened) }
            guard let directory = opened.directory else {
                throw LayerStoreError(.failed, "the layer has no directory rootfs")
            }
            let summary = try extraction.extract(reader, into: directory)
            do throws(Errno) {
                // Of this file system alone: others would wait for the writes of every process.
                try requireSuccess(dmshim_sync_filesystem(directory.rawValue))
            } catch {
                throw LayerStoreError(
                    error == .noSpace ? .notEnoughSpace : .failed,
                    "the content could not be written to the disk: \(error)", underlying: error)
            }
            return summary
        }
    }

    /// Writes all that layers have to the disk for certain; nobody has the layer open.
    ///
    /// The kernel commits the pool, and with it the changes of all thin devices, and then flushes the data device.
    func flush(_ id: LayerID) throws {
        let record = try existingLayer(id)
        try StoreSession.run(in: core, locking: [id]) { session, layers in
            let active = try core.devices.active(record.deviceID, of: layers[0])
            let device = try active ?? core.devices.activate(record, of: layers[0], in: session.pool)
            do {
                let opened = try BlockDevice(DeviceNode.path(of: device.number), .readWrite)
                defer { opened.close() }
                try opened.flush()
            } catch {
                // The first failure is the one to report.
                if active == nil { _ = try? core.devices.failure(removing: record.deviceID) }
                throw error
            }
            if active == nil, let failure = try core.devices.failure(removing: record.deviceID) { throw failure }
        }
    }

    /// Runs `body` with the directory of a layer's content; a layer that was never mounted may have none.
    func reading<Result>(_ id: LayerID, _ body: (FileDescriptor?) throws -> Result) throws -> Result {
        let opened = try StoreSession.run(in: core, locking: [id]) { session, layers in
            try content.forReading(layers[0], in: session.pool)
        }
        defer { content.close(opened, locking: true) }
        return try body(opened.directory)
    }

    /// The user and the group that own the top directory of a layer's content.
    func owner(of id: LayerID) throws -> (user: UInt32, group: UInt32) {
        try reading(id) { directory in
            guard let directory else { return (0, 0) }
            let status = try Stat(directory)
            return (status.userID.rawValue, status.groupID.rawValue)
        }
    }

    private func existingLayer(_ id: LayerID) throws -> LayerRecord {
        guard id != .base else {
            throw LayerStoreError(.invalidLayerID, "the base device is no layer, and has no content")
        }
        return try core.existing(id)
    }

    /// Compares the inode tables of two layers' file systems, which saves a system call for each file.
    ///
    /// - Returns: `nil` where the tables cannot be compared; then each file is asked for.
    private func inodeComparison(_ one: LayerContent, _ other: LayerContent) -> InodeComparison? {
        guard let directory = one.directory, let otherDirectory = other.directory,
            !one.keepsTimesBack, !other.keepsTimesBack
        else { return nil }
        // It only saves time, so a failure is no error.
        return try? InodeComparison(
            core.configuration.filesystem.type,
            .init(directory, on: DeviceNode.path(of: one.device)),
            .init(otherDirectory, on: DeviceNode.path(of: other.device)))
    }
}
