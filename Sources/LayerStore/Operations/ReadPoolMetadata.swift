internal import DeviceMapper
internal import SystemPackage
internal import ThinProvisioning

/// Reads the metadata of a store's pool as it is at one moment.
///
/// The store is held shared for so long: a pool that is taken down keeps the snapshot of its metadata for ever. So a shutdown waits
/// for a reader, and a reader takes no signal but SIGKILL.
struct ReadPoolMetadata {
    let core: StoreCore

    func run<Result>(_ body: (ThinPoolMetadata) throws -> Result) throws -> Result {
        if try core.pool.active() != nil { try core.requireWritable() }
        let read: Result? = try StoreSession.runIfActive(in: core) { session, _ in
            let device = try core.pool.metadataDevice(of: session.pool)
            return try holdingSnapshot(of: session.pool) { root in
                try body(ThinPoolMetadata(reading: device, heldRoot: root))
            }
        }
        return try read ?? readInactive(body)
    }

    private func holdingSnapshot<Result>(of pool: ThinPool, _ body: (UInt64) throws -> Result) throws -> Result {
        do {
            return try pool.whileMetadataIsHeld(body)
        } catch let error as DeviceMapperError where error.code == .busy {
            throw LayerStoreError(
                .busy,
                "a program holds a snapshot of the pool's metadata; if it has died, “dmlayer dm message \(pool.name) 0 "
                    + "release_metadata_snap” gives the snapshot up", underlying: error)
        }
    }

    /// Reads the metadata where it is, while no operation can activate the pool.
    private func readInactive<Result>(_ body: (ThinPoolMetadata) throws -> Result) throws -> Result {
        guard core.pool.named == nil else {
            throw LayerStoreError(
                .failed,
                "the pool is not active, and only where it was made is known where its metadata is; activate it first, with "
                    + "“dmlayer pool activate”")
        }
        return try StoreSession.runAlone(in: core) { _, _ in
            guard try core.pool.active() == nil else {
                throw LayerStoreError(.busy, "another operation has just activated the pool; try again")
            }
            let path = core.configuration.pool.metadataDevice.map { FilePath($0) } ?? core.directory.metadataFile
            return try body(ThinPoolMetadata(reading: ThinMetadataDevice(path)))
        }
    }
}
