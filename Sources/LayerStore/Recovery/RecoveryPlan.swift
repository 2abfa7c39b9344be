internal import ThinProvisioning

/// The steps that clean up after interrupted operations in a store.
///
/// Recovery, `check` and `check --repair` read the same plan.
///
/// These always hold:
///
/// * Nothing is deleted that a record speaks for, and nothing by a number that two things speak for.
/// * While a file cannot be understood, or the pool's devices cannot be read, nothing is deleted but what was being removed:
///   any number may be that file's.
/// * Recovery deletes only numbers that were reserved for new layers; in a pool that other programs use, only those with which
///   layers were certainly being made. Other thin devices that no layer has are kept for a person, and `--repair` deletes
///   them only in a pool of the store's own.
/// * A mapped device goes only if it certainly is no layer's.
struct RecoveryPlan: Hashable, Sendable {
    /// A change of the store or of its devices.
    enum Action: Hashable, Sendable {
        /// Removes a file that an interrupted write left.
        case removeTemporaryFile(String)
        /// Resumes a mapped device.
        case resume(Inventory.MappedDevice)
        /// Removes a mapped device that no layer has.
        case removeMapped(Inventory.MappedDevice)
        /// Ends Docker's transaction: its thin device goes, if nothing else speaks for it, and its layer's file.
        case endTransaction(deleting: ThinDeviceID?, removing: String?)
        /// Removes a layer that Docker marked as deleted.
        case beginRemoval(String)
        /// Ends a removal whose thin device a layer has again: its file goes, and nothing else.
        case dropRemoval(ThinDeviceID)
        /// Ends a removal: the thin device goes, and the file.
        case endRemoval(ThinDeviceID)
        /// Deletes a thin device.
        case delete(ThinDeviceID)
    }

    /// By whom something is done.
    enum Standing: Int, Hashable, Sendable, Comparable {
        /// By the recovery, before the next operation.
        case recovery
        /// By `check --repair`.
        case repair
        /// By `check --repair` with an option that names it.
        case order
        /// By nobody, as long as the facts are these.
        case nobody

        static func < (left: Standing, right: Standing) -> Bool { left.rawValue < right.rawValue }
    }

    /// Why something is left over.
    enum Reason: Hashable, Sendable {
        case interruptedWrite
        case suspendedByADeadProcess
        case mappedWithoutLayer
        case interruptedTransaction
        case markedByDocker
        case numberHasALayer
        case beingRemoved
        /// It has a number that was reserved for a new layer.
        case interruptedCreation
        /// Nothing speaks for it.
        case orphan
    }

    struct Step: Hashable, Sendable {
        let action: Action
        let standing: Standing
        let reason: Reason
    }

    /// The steps, in the order in which they are carried out.
    private(set) var steps: [Step] = []
    /// Whether reservations stay, because something of them may still be in the pool.
    let keepsReservations: Bool
    /// The first number of a block in which neither the pool nor a file has a device.
    let nextBlock: ThinDeviceID
    /// How many removals wait for their end.
    let waitingRemovals: Int

    private let facts: Inventory

    init(_ facts: Inventory) {
        self.facts = facts
        keepsReservations = !facts.isComplete
        waitingRemovals = facts.understoodRemovals.subtracting(facts.registered).count
        nextBlock = Self.block(free: facts)
        planFiles()
        planTransaction()
        planRemovals()
        planMappedDevices()
        planThinDevices()
    }

    /// The steps that somebody of a standing carries out: `--repair` does those of the recovery as well.
    func steps(for standing: Standing) -> [Step] { steps.filter { $0.standing <= standing } }

    // MARK: Files

    private mutating func planFiles() {
        for name in facts.temporaryFiles.sorted() { add(.removeTemporaryFile(name), .recovery, .interruptedWrite) }
    }

    /// Docker's transaction ends as Docker would end it: the layer that it was making or removing goes.
    ///
    /// Unlike Docker, the plan keeps what anything else speaks for: a thin device that another layer has, a layer that has
    /// another thin device, a base device with a file system.
    private mutating func planTransaction() {
        guard let transaction = openTransaction, let number = ThinDeviceID(transaction.deviceID) else { return }
        let name = transaction.layer.isEmpty ? LayerID.base.text : transaction.layer
        let record = facts.records[name].flatMap { $0.deviceID == number && !$0.isInitialized ? $0 : nil }
        let isTaken = facts.records.contains { $0.value.deviceID == number && (record == nil || $0.key != name) }
        add(
            .endTransaction(deleting: isTaken ? nil : number, removing: record == nil ? nil : name),
            facts.isComplete ? .recovery : .nobody, .interruptedTransaction)
    }

    /// Docker's transaction where the pool has not reached it.
    private var openTransaction: DockerTransaction? {
        guard let transaction = facts.transaction, let present = facts.poolTransactionID,
            transaction.openTransactionID > present
        else { return nil }
        return transaction
    }

    private mutating func planRemovals() {
        let transactionFile: String? =
            if case .endTransaction(_, let name)? = steps.last?.action { name } else { nil }
        for (name, record) in facts.records.sorted(by: { $0.key < $1.key })
        where record.isDeleted && name != LayerID.base.text && name != transactionFile && facts.damaged[name] == nil {
            add(.beginRemoval(name), .recovery, .markedByDocker)
        }
        for number in facts.removals.sorted() {
            if facts.registered.contains(number) {
                // The name of the file is enough for that; recovery acts on it only where the content says the same.
                let isSure = facts.understoodRemovals.contains(number)
                add(.dropRemoval(number), isSure ? .recovery : .nobody, .numberHasALayer)
            } else {
                let isUnderstood = facts.understoodRemovals.contains(number)
                add(
                    .endRemoval(number), isUnderstood ? .recovery : facts.isComplete ? .repair : .nobody, .beingRemoved)
            }
        }
    }

    // MARK: Devices

    private mutating func planMappedDevices() {
        for device in facts.mappedDevices {
            if device.isSuspended { add(.resume(device), .recovery, .suspendedByADeadProcess) }
            // The device of a removed layer that is in use goes by itself.
            guard !facts.registered.contains(device.number), !device.isRemovalDeferred,
                !facts.formerClaims.contains(device.number)
            else { continue }
            // An operation that was interrupted may have left the device of a number that was reserved for it. A device with
            // another number may be a layer whose file was lost, and in use.
            let isNobodys =
                facts.removals.contains(device.number) || facts.isComplete && facts.reserved.contains(device.number)
            add(.removeMapped(device), isNobodys && !facts.isBusy ? .recovery : .nobody, .mappedWithoutLayer)
        }
    }

    private mutating func planThinDevices() {
        let claimed = facts.registered.union(facts.removals)
        let transaction = openTransaction.flatMap { ThinDeviceID($0.deviceID) }
        for number in (facts.thinDevices ?? []).sorted() where !claimed.contains(number) && number != transaction {
            // While an operation is under way, a reserved number may be that of a layer in making.
            if (facts.isBusy ? facts.reserved : facts.abandoned).contains(number) {
                add(
                    .delete(number), facts.isComplete && !facts.isBusy ? .recovery : .nobody, .interruptedCreation)
            } else if !facts.formerClaims.contains(number) {
                let mayRepair = facts.isComplete && facts.ownsPool && facts.isBaseRight
                add(.delete(number), mayRepair ? .repair : facts.isComplete ? .order : .nobody, .orphan)
            }
        }
    }

    private mutating func add(_ action: Action, _ standing: Standing, _ reason: Reason) {
        // A pool that takes no changes keeps everything; the files stay with it.
        let isForPool =
            switch action {
            case .resume: false
            default: !facts.takesChanges
            }
        steps.append(Step(action: action, standing: isForPool ? .nobody : standing, reason: reason))
    }

    /// The first number of a block behind all layers in which nothing has a number.
    private static func block(free facts: Inventory) -> ThinDeviceID {
        let claimed = facts.registered.union(facts.removals)
        let used = claimed.union(facts.thinDevices ?? []).union(facts.isComplete ? [] : facts.reserved)
        let behind = (claimed.max() ?? .maximum).next
        let start = max(behind, facts.firstNumber ?? behind)
        var offset: UInt32 = 0
        for distance in used.map({ start.distance(to: $0) }).sorted() {
            guard distance < offset + NumberBlock.size else { break }
            offset = max(offset, distance + 1)
        }
        return start.advanced(by: offset)
    }
}
