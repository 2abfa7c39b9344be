internal import DeviceMapper
internal import Filesystems
internal import SystemPackage
internal import ThinProvisioning

/// Makes a layer or the base device larger.
struct ResizeLayer {
    let core: StoreCore

    func run(_ id: LayerID, to asked: UInt64) throws {
        try core.requireWritable()
        let size = try Sectors.rounded(asked)
        try StoreSession.run(in: core, locking: [id]) { session, layers in
            let layer = layers[0]
            var record = try core.existing(id)
            try core.service.requireNone(for: record)
            try record.content.requireWritable()
            guard size >= record.size else {
                throw LayerStoreError(
                    .sizeTooSmall,
                    "it has \(ByteSize.decimal(record.size)) (\(record.size) bytes) and cannot become smaller, "
                        + "\(ByteSize.decimal(size)) (\(size) bytes); give a larger size")
            }
            let active = try core.devices.active(record.deviceID, of: layer)
            try core.devices.requireUnread(active, id)
            // A device that is too large for its file system does no harm, the other way round it would.
            if size > record.size {
                record.size = size
                try core.registry.save(record, of: id)
            }
            if let active {
                let device = DeviceReference.uuid(try core.identity.uuid(of: record.deviceID))
                try session.changingTables { _ in try session.pool.resize(device, to: Sectors(wholeSectorsIn: size)) }
                if try core.mounts.isMounted(active, of: id) {
                    return try growFilesystem(at: core.directory.mountPoint(of: id), to: size)
                }
            }
            try core.mounts.whileMounted(layer, record, in: session.pool) { try growFilesystem(at: $0, to: size) }
        }
    }

    func growFilesystem(at mountPoint: FilePath, to size: UInt64) throws(FilesystemError) {
        try FilesystemGrowth.grow(core.configuration.filesystem.type, at: mountPoint, to: size)
    }
}
