internal import DeviceMapper
internal import Filesystems
internal import SystemPackage
internal import ThinProvisioning

extension LayerStore {
    /// Makes a layer or the base device larger, while it is mounted as well; its file system grows with it.
    ///
    /// A call that was interrupted can be repeated. What is made from the base device later gets its new size; layers that
    /// exist keep theirs.
    ///
    /// - Parameters:
    ///   - id: The layer, or ``LayerID/base``.
    ///   - size: The new size in bytes, at least the present one.
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``; ``LayerStoreError/Code/sizeTooSmall``, for nothing can shrink.
    public func resize(_ id: LayerID, to size: UInt64) throws(LayerStoreError) {
        try attempting("resize \(id == .base ? "the base device" : "layer \(id)")") {
            try requireWritable()
            try withPool(layers: [id]) { pool, _ in
                var record = try existing(id)
                try requireNoService(for: record)
                try record.content.requireWritable()
                guard size >= record.size else {
                    throw LayerStoreError(
                        .sizeTooSmall,
                        "it has \(ByteSize.decimal(record.size)) (\(record.size) bytes) and cannot become smaller, "
                            + "\(ByteSize.decimal(size)) (\(size) bytes)")
                }
                // A device that is too large for its file system does no harm, the other way round it would.
                if size > record.size {
                    record.size = size
                    try metadata.save(record, of: id)
                }
                let mountPoint = directory.mountPoint(of: id)
                if let active = try device(of: record.deviceID, pool.control) {
                    let device = DeviceReference.uuid(try uuid(of: record.deviceID))
                    try withPoolTable { try pool.resize(device, to: Sectors(wholeSectorsIn: size)) }
                    if try isMounted(active.number, at: mountPoint) {
                        return try growFilesystem(at: mountPoint, to: size)
                    }
                }
                try whileMounted(id, record, in: pool) { try growFilesystem(at: $0, to: size) }
            }
        }
    }

    func growFilesystem(at mountPoint: FilePath, to size: UInt64) throws(FilesystemError) {
        try FilesystemGrowth.grow(configuration.filesystem.type, at: mountPoint, to: size)
    }
}
