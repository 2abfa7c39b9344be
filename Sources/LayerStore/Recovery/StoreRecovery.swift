internal import DeviceMapper
internal import SystemPackage
internal import ThinProvisioning

/// Makes the pool and the metadata directory agree after any crash: carries out what ``RecoveryPlan`` leaves to the recovery.
struct StoreRecovery {
    let core: StoreCore

    init(_ core: StoreCore) {
        self.core = core
    }

    /// Recovers a store that this operation has alone.
    func run(_ pool: ThinPool, _ alone: StoreAlone, _ holder: StoreLock.Holder) throws {
        try core.resumeAll()
        guard case .available(let state) = try pool.status(), state.mode != .readOnly else {
            // Nothing can be changed; it can still be looked at. The mark of a process that died stays, or is made.
            try core.marks.invalidate(holder)
            return
        }
        var facts = try Inventory(core.registry)
        facts.addThinDevices(of: pool, core.pool)
        try BaseDeviceIdentity(core: core).require(in: pool, facts, alone)
        if core.configuration.pool.poolUUID == nil, let uuid = try core.pool.lastingUUID(of: pool) {
            try StoreConfiguration.update(in: core.directory) { $0.pool.poolUUID = uuid }
        }
        core.pool.backing.reserveMetadataSpace(state)
        facts.poolTransactionID = state.transactionID
        facts.ownsPool = core.pool.named == nil
        facts.isPoolMadeElsewhere = core.configuration.pool.isMadeElsewhere
        facts.firstNumber = core.configuration.firstDeviceID.flatMap { ThinDeviceID($0) }
        facts.inMaking = try core.marks.read(holder).making
        try facts.addMappedDevices(of: core.devices)

        let plan = RecoveryPlan(facts)
        var isClean = true
        var removals = plan.waitingRemovals
        for step in plan.steps(for: .recovery) {
            switch try carryOut(step.action, in: pool, alone) {
            case .done: break
            case .begunRemoval: removals += 1
            case .kept: isClean = false
            }
        }
        try core.numbers.reset(
            to: plan.nextBlock, isKnownFree: facts.thinDevices != nil,
            keepingOthers: plan.keepsReservations || !isClean, removals: removals, holder)
    }

    private enum Outcome {
        case done, begunRemoval
        /// A device of somebody else's making, or a user of the layer, keeps it.
        case kept
    }

    private func carryOut(_ action: RecoveryPlan.Action, in pool: ThinPool, _ alone: StoreAlone) throws -> Outcome {
        switch action {
        case .removeTemporaryFile(let name): try core.registry.removeFile(name)
        case .resume(let device): try pool.control.resumeDevice(.uuid(core.identity.uuid(of: device.number)))
        case .removeMapped(let device):
            let id = try core.identity.layer(DeviceName(device.name)) ?? .base
            try core.mounts.takeDown(alone.layer(id), device.number, isDeferred: true)
        case .endTransaction(let number, let file):
            if let number, try !pool.deleteUnlessActive(number) { return .kept }
            if let file { try core.registry.removeFile(file) }
            try core.registry.endDockerTransaction()
        case .beginRemoval(let name): return try beginRemoval(LayerID(name), alone)
        case .dropRemoval(let number): try core.registry.dropRemoval(of: number)
        // The data of a removed layer is freed behind the first operation, as that of any removed layer.
        case .endRemoval: break
        case .delete(let number): return try pool.deleteUnlessActive(number) ? .done : .kept
        }
        return .done
    }

    /// Begins to remove a layer that Docker marked as deleted and could not delete while it was in use.
    private func beginRemoval(_ id: LayerID, _ alone: StoreAlone) throws -> Outcome {
        guard let record = try core.registry.record(of: id) else { return .done }
        do {
            try core.mounts.takeDown(alone.layer(id), record.deviceID)
        } catch let error as LayerStoreError where error.code == .busy {
            // It is still in use, and stays marked.
            return .done
        }
        try core.registry.beginRemoval(of: id, record)
        return .begunRemoval
    }
}
