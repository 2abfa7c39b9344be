internal import DeviceMapper
internal import Filesystems
internal import SystemPackage
internal import ThinProvisioning

/// Makes the repairs that need no guessing.
struct RepairStore {
    let core: StoreCore

    static func run(
        _ root: FilePath, _ options: StorageOptions, _ orders: StoreRepairOrders, _ transport: (any ControlTransport)?
    ) throws -> StoreReport {
        let before = try StoreCheck.report(on: root, options, transport)
        var failures: [String] = []
        do {
            let core = try StoreCore.open(
                root, options, transport, access: .readWrite, removals: .beforeReturning, patience: .seconds(30))
            failures = try RepairStore(core: core).repair(orders)
        } catch {
            failures.append("\(error)")
        }
        return try StoreCheck.report(on: root, options, transport, before: before.findings, failures: failures)
    }

    private func repair(_ orders: StoreRepairOrders) throws -> [String] {
        let wasActive = try core.pool.active() != nil
        defer {
            if !wasActive { takePoolDown() }
        }
        var failures = try StoreSession.runAlone(in: core) { try repair(orders, $0, $1) }
        do {
            try RemoveLayer(core: core).endAll()
        } catch {
            failures.append("cannot end the removals that wait: \(error)")
        }
        return failures
    }

    private func repair(
        _ orders: StoreRepairOrders, _ alone: StoreAlone, _ holder: StoreLock.Holder
    ) throws -> [String] {
        try DurableDirectory(core.directory.root).removeTemporaryFiles()
        try core.registry.removeTemporaryFiles()
        let pool = try core.pool.active() ?? core.activatePool(alone)
        var repair = StoreRepair(store: core, pool: pool)
        // First, because the recovery deletes what seems to be left of an interrupted operation, and reads the device set.
        repair.prepare(orders)
        try StoreRecovery(core).run(pool, alone, holder)
        repair.run(orders)
        return repair.failures
    }

    /// Removes the device of a pool that nobody uses.
    private func takePoolDown() {
        // It stays where somebody has mounted a layer meanwhile.
        try? StoreSession.runAlone(in: core) { _, holder in
            let tables = try holder.lockTables()
            guard let pool = try core.pool.active() else { return }
            try core.pool.backing.requireFiles(of: pool)
            try ShutDown(core: core).takePoolDown(pool, tables)
        }
    }
}

/// One repair, by an operation that has the store alone.
private struct StoreRepair {
    let store: StoreCore
    let pool: ThinPool
    var failures: [String] = []

    private var registry: LayerRegistry { store.registry }

    mutating func prepare(_ orders: StoreRepairOrders) {
        for adopted in orders.adopted {
            attempt("make thin device \(adopted.device) the layer \(adopted.id)") { try $0.adopt(adopted) }
        }
        // Before the recovery, which compares the base device of these orders no more.
        for id in orders.forgotten {
            attempt("forget \(id)") { try $0.forget(id) }
        }
        attempt("write deviceset-metadata") { try $0.writeDeviceSet($0.check()) }
    }

    mutating func run(_ orders: StoreRepairOrders) {
        for id in orders.deleted {
            attempt("delete thin device \(id)") { repair in
                try repair.requireOrphan(id, repair.check())
                try repair.pool.deleteIfPresent(id)
            }
        }
        attempt("mend the rest") { repair in
            let check = try repair.check()
            try repair.writeDeviceSet(check)
            guard let facts = check.facts else { return }
            for step in RecoveryPlan(facts).steps where step.standing == .repair { repair.carryOut(step.action, check) }
        }
    }

    /// Carries out what the plan leaves to a repair.
    private mutating func carryOut(_ action: RecoveryPlan.Action, _ check: StoreCheck) {
        switch action {
        case .delete(let number):
            guard mayDelete(check) else { return }
            attempt("delete thin device \(number)") { try $0.pool.deleteIfPresent(number) }
        case .endRemoval(let number):
            attempt("end the removal of thin device \(number)") { repair in
                guard try repair.pool.deleteUnlessActive(number) else { return }
                try repair.registry.dropRemoval(of: number)
            }
        case .removeTemporaryFile, .resume, .removeMapped, .endTransaction, .beginRemoval, .dropRemoval:
            // The recovery has done these.
            return
        }
    }

    private mutating func attempt(_ what: String, _ body: (inout StoreRepair) throws -> Void) {
        do {
            try body(&self)
        } catch {
            failures.append("cannot \(what): \((error as? LayerStoreError)?.reason ?? "\(error)")")
        }
    }

    /// Checks the store in its present state.
    ///
    /// The repair itself has the store's lock, so that no operation is under way.
    private func check() throws(LayerStoreError) -> StoreCheck {
        try StoreCheck(store.directory.root, store: store, isAlone: true)
    }

    /// Whether the files are certainly about this pool: then a thin device that they do not name is nobody's.
    private func mayDelete(_ check: StoreCheck) -> Bool {
        check.pool.isActive
            && check.facts?.records[LayerID.base.text].map { check.pool.devices?[$0.deviceID] != nil } == true
            && !check.findings.contains(.baseDevice, .configuration, .pool)
    }

    private func requireOrphan(_ id: ThinDeviceID, _ check: StoreCheck) throws {
        let kinds: [StoreFinding.Kind] = [.orphanDevice, .unfinished]
        guard check.findings.all.contains(where: { kinds.contains($0.kind) && $0.subject == "\(id)" }) else {
            let layer = check.facts?.records.first { $0.value.deviceID == id }?.key
            throw LayerStoreError(
                .failed, layer.map { "\($0) has it" } ?? "the pool has no such thin device that is without a layer")
        }
    }

    private func adopt(_ adopted: StoreRepairOrders.AdoptedDevice) throws {
        let check = try check()
        try requireOrphan(adopted.device, check)
        let isBase = adopted.id == .base
        guard check.facts?.records[adopted.id.text] == nil, check.facts?.damaged[adopted.id.text] == nil else {
            throw LayerStoreError(.layerExists, "there is a file \(adopted.id) already; move it away first")
        }
        var record = LayerRecord(
            deviceID: adopted.device, size: UInt64(Int64.max), transactionID: 0, isInitialized: isBase,
            isDeleted: false, parent: nil, created: nil)
        guard let superblock = check.pool.filesystem(of: record), superblock.size > 0 else {
            throw LayerStoreError(
                .failed, "there is no file system on it, so that nothing tells how long it is; delete it instead")
        }
        record.size = superblock.size
        record.transactionID = check.pool.devices?[adopted.device]?.transactionID ?? 0
        try registry.save(record, of: adopted.id)
    }

    private func forget(_ id: LayerID) throws {
        let check = try check()
        guard check.findings.all.contains(where: { $0.kind == .missingDevice && $0.subject == id.text }) else {
            throw LayerStoreError(
                .failed,
                check.facts?.records[id.text] == nil
                    ? "there is no such layer" : "the pool has its thin device; “dmlayer remove \(id)” removes both")
        }
        try registry.forget(id)
        try registry.synchronize()
    }

    private func writeDeviceSet(_ check: StoreCheck) throws {
        guard check.findings.all.contains(where: { $0.kind == .deviceSet && $0.isRepairable }), let facts = check.facts,
            let base = facts.records[LayerID.base.text], let superblock = check.pool.filesystem(of: base)
        else { return }
        let last = facts.registered.max() ?? base.deviceID
        try registry.save(
            DeviceSetRecord(
                nextDeviceID: last.next.value, baseDeviceUUID: superblock.uuid,
                baseDeviceFilesystem: superblock.type.rawValue))
    }
}
