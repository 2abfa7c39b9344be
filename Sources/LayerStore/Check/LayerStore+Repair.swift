public import DeviceMapper
internal import Filesystems
public import SystemPackage
internal import ThinProvisioning

extension LayerStore {
    /// Mends what can be mended without guessing, and checks again.
    ///
    /// That is: what interrupted operations left behind, thin devices that no layer has, and a missing
    /// `deviceset-metadata`. Thin devices are deleted only if the pool is the store's own, every metadata file was
    /// understood, and the base device is the one that the files are about.
    ///
    /// The pool is activated for it; where it was not active before, it is taken down again.
    ///
    /// - Parameters:
    ///   - root: The root of the store.
    ///   - orders: What to do beyond that.
    ///   - transport: How commands reach the kernel; `nil` opens the control node.
    /// - Returns: What is still found, what is not any more, and what could not be done.
    /// - Throws: ``LayerStoreError/Code/notInitialized`` when there is no store.
    public static func repair(
        _ root: FilePath, options: StorageOptions = StorageOptions(), orders: StoreRepairOrders = StoreRepairOrders(),
        transport: (any ControlTransport)? = nil
    ) throws(LayerStoreError) -> StoreReport {
        try attempting("repair the store \(root)") {
            let before = try report(on: root, options, transport)
            var failures: [String] = []
            do {
                let store = try LayerStore(
                    opening: root, options: options, transport: transport, removals: .beforeReturning)
                failures = try store.repair(orders)
            } catch {
                failures.append("\(error)")
            }
            return try report(on: root, options, transport, before: before.findings, failures: failures)
        }
    }

    private func repair(_ orders: StoreRepairOrders) throws -> [String] {
        let wasActive = try activePool() != nil
        defer {
            if !wasActive { takePoolDown() }
        }
        var failures = try repairAlone(orders)
        do {
            try endRemovals()
        } catch {
            failures.append("cannot end the removals that wait: \(error)")
        }
        return failures
    }

    private func repairAlone(_ orders: StoreRepairOrders) throws -> [String] {
        let holder = try lock.open()
        defer { withExtendedLifetime(holder) {} }
        try isolate(holder)
        try DurableDirectory(root).removeTemporaryFiles()
        try metadata.directory.removeTemporaryFiles()
        let pool = try activePool() ?? activatePool()
        var repair = StoreRepair(store: self, pool: pool)
        // First, because the recovery deletes what seems to be left of an interrupted operation, and reads the device set.
        repair.prepare(orders)
        try recover(pool, holder)
        repair.run(orders)
        return repair.failures
    }

    /// Removes the device of a pool that nobody uses.
    private func takePoolDown() {
        guard configuration.pool.poolDevice == nil, let holder = try? lock.open(), (try? isolate(holder)) != nil else {
            return
        }
        // It stays where somebody has mounted a layer meanwhile.
        withExtendedLifetime(holder) {
            guard let pool = try? activePool(), (try? requireFiles(of: pool)) != nil else { return }
            _ = try? pool.control.removeDevice(.uuid(poolUUID()))
        }
    }
}

/// One repair, by whoever has the store for itself.
private struct StoreRepair {
    let store: LayerStore
    let pool: ThinPool
    var failures: [String] = []

    private var metadata: LayerMetadata { store.metadata }

    mutating func prepare(_ orders: StoreRepairOrders) {
        for adopted in orders.adopted {
            attempt("make thin device \(adopted.device) the layer \(adopted.id)") { try $0.adopt(adopted) }
        }
        attempt("write deviceset-metadata") { try $0.writeDeviceSet($0.check()) }
    }

    mutating func run(_ orders: StoreRepairOrders) {
        for id in orders.forgotten {
            attempt("forget \(id)") { try $0.forget(id) }
        }
        for id in orders.deleted {
            attempt("delete thin device \(id)") { repair in
                try repair.requireOrphan(id, repair.check())
                try repair.store.deleteIfPresent(id, in: repair.pool)
            }
        }
        attempt("mend the rest") { repair in
            let check = try repair.check()
            try repair.writeDeviceSet(check)
            try repair.removeDamagedRemovals(check)
            guard repair.mayDelete(check) else { return }
            for finding in check.findings where finding.kind == .orphanDevice && finding.isRepairable {
                guard let id = UInt32(finding.subject).flatMap({ ThinDeviceID($0) }) else { continue }
                repair.attempt("delete thin device \(id)") { try $0.store.deleteIfPresent(id, in: $0.pool) }
            }
        }
    }

    private mutating func attempt(_ what: String, _ body: (inout StoreRepair) throws -> Void) {
        do {
            try body(&self)
        } catch {
            failures.append("cannot \(what): \((error as? LayerStoreError)?.reason ?? "\(error)")")
        }
    }

    /// What there is at this moment.
    private func check() throws(LayerStoreError) -> StoreCheck {
        try StoreCheck(store.root, store: store)
    }

    /// Whether the files are certainly about this pool: then a thin device that they do not name is nobody's.
    private func mayDelete(_ check: StoreCheck) -> Bool {
        check.pool.isActive && check.records[LayerID.base.text].map { check.pool.devices?[$0.deviceID] != nil } == true
            && !check.findings.contains { [.baseDevice, .configuration, .pool].contains($0.kind) }
    }

    private func requireOrphan(_ id: ThinDeviceID, _ check: StoreCheck) throws {
        let kinds: [StoreFinding.Kind] = [.orphanDevice, .unfinished]
        guard check.findings.contains(where: { kinds.contains($0.kind) && $0.subject == "\(id)" }) else {
            let layer = check.after?.records.first { $0.value.deviceID == id }?.key
            throw LayerStoreError(
                .failed, layer.map { "\($0) has it" } ?? "the pool has no such thin device that is without a layer")
        }
    }

    private func adopt(_ adopted: StoreRepairOrders.AdoptedDevice) throws {
        let check = try check()
        try requireOrphan(adopted.device, check)
        let isBase = adopted.id == .base
        guard check.after?.records[adopted.id.text] == nil, check.after?.damaged[adopted.id.text] == nil else {
            throw LayerStoreError(.layerExists, "there is a file \(adopted.id) already; move it away first")
        }
        var record = LayerRecord(
            deviceID: adopted.device, size: UInt64(Int64.max), transactionID: 0, isInitialized: isBase,
            isDeleted: false,
            parent: nil, created: nil)
        guard let superblock = check.filesystem(of: record), superblock.size > 0 else {
            throw LayerStoreError(
                .failed, "there is no file system on it, so that nothing tells how long it is; delete it instead")
        }
        record.size = superblock.size
        record.transactionID = check.pool.devices?[adopted.device]?.transactionID ?? 0
        try metadata.save(record, of: adopted.id)
    }

    private func forget(_ id: LayerID) throws {
        let check = try check()
        guard check.findings.contains(where: { $0.kind == .missingDevice && $0.subject == id.text }) else {
            throw LayerStoreError(
                .failed,
                check.after?.records[id.text] == nil
                    ? "there is no such layer" : "the pool has its thin device; “dmlayer remove \(id)” removes both")
        }
        try metadata.forget(id)
        try metadata.directory.synchronize()
    }

    private func writeDeviceSet(_ check: StoreCheck) throws {
        guard check.findings.contains(where: { $0.kind == .deviceSet && $0.isRepairable }),
            let base = check.after?.records[LayerID.base.text], let superblock = check.filesystem(of: base)
        else { return }
        let last = check.after?.records.values.map(\.deviceID).max() ?? base.deviceID
        try metadata.save(
            DeviceSetRecord(
                nextDeviceID: last.next.value, baseDeviceUUID: superblock.uuid,
                baseDeviceFilesystem: superblock.type.rawValue))
    }

    /// Ends removals whose files cannot be understood; their names say the thin device.
    private func removeDamagedRemovals(_ check: StoreCheck) throws {
        guard let after = check.after else { return }
        let understood = Set(try metadata.unfinishedRemovals().map(\.deviceID))
        for id in after.removals.subtracting(understood).subtracting(after.records.values.map(\.deviceID)) {
            guard after.isComplete, try store.deleteUnlessBusy(id, in: pool) else { continue }
            try metadata.directory.remove(MetadataContents.removalPrefix + id.description)
        }
    }
}
