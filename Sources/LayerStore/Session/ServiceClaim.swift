internal import Synchronization
internal import SystemCalls

/// The claim of a service on the snapshots of a store: commands that would take one from it are refused meanwhile.
final class ServiceClaim: Sendable {
    private let locks: StoreLock
    /// The lock that says that this object serves the snapshots.
    private let own = Mutex<StoreLock.Holder?>(nil)

    init(_ locks: StoreLock) {
        self.locks = locks
    }

    /// Claims the snapshots until ``release()``, or until this goes away.
    ///
    /// - Throws: ``LayerStoreError/Code/busy`` when another process has them.
    func claim() throws(LayerStoreError) {
        let holder = try locks.open(until: .now)
        guard try holder.tryLock(.snapshots) else {
            throw LayerStoreError(.busy, "another “dmlayer serve” serves it; stop that one first")
        }
        own.withLock { $0 = holder }
    }

    /// Gives the claim up.
    func release() { own.withLock { $0 = nil } }

    /// Refuses an operation that would take a snapshot from the service of another process.
    ///
    /// - Parameter record: The layer; `nil` stands for all snapshots.
    /// - Throws: ``LayerStoreError/Code/busy``.
    func requireNone(for record: LayerRecord? = nil) throws(LayerStoreError) {
        if let record, record.snapshot == nil { return }
        guard own.withLock({ $0 == nil }), try locks.isHeld(.snapshots) else { return }
        guard let snapshot = record?.snapshot else {
            throw LayerStoreError(.busy, "“dmlayer serve” serves its snapshots; stop that first")
        }
        throw LayerStoreError(
            .busy,
            "it is the snapshot “\(snapshot.key)” of “dmlayer serve”; change it through containerd, or stop that first")
    }
}
