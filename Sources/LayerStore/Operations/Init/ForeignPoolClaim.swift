internal import BlockDevices
internal import SystemCalls
internal import SystemPackage
internal import ThinProvisioning

/// The claim of an `init` on a pool that somebody else made: no other `init`, of another root, can have it meanwhile.
struct ForeignPoolClaim {
    private let descriptor: FileDescriptor

    /// Claims a pool that holds nothing of anybody else's.
    ///
    /// - Throws: ``LayerStoreError/Code/foreignDevice`` when the pool was used; ``LayerStoreError/Code/busy``.
    init(_ pool: ThinPool) throws {
        descriptor = try FileDescriptor.open(try DeviceNode.path(of: pool.number), .readOnly, options: .closeOnExec)
        do {
            guard flock(descriptor.rawValue, LOCK_EX | LOCK_NB) == 0 else {
                throw LayerStoreError(.busy, "another “dmlayer init” is making a store on the pool \(pool.name)")
            }
            try Self.requireNew(pool)
        } catch {
            release()
            throw error
        }
    }

    /// Gives the claim up.
    func release() {
        // Nothing was written through it.
        try? descriptor.close()
    }

    private static func requireNew(_ pool: ThinPool) throws {
        guard case .available(let state) = try pool.status() else { return }
        guard state.data.used == 0, state.transactionID == 0 else {
            throw LayerStoreError(
                .foreignDevice,
                "the pool \(pool.name) is not new: it has \(state.data.used) used data blocks and the transaction id "
                    + "\(state.transactionID). Name a pool that nothing else has used")
        }
    }
}
