internal import DeviceMapper
internal import SystemCalls
internal import SystemPackage
internal import ThinProvisioning

/// Compares everything that a store consists of: its files, its pool, and the files or devices below the pool.
///
/// It changes nothing, activates nothing, takes no lock and has no pool commit anything. So it sees operations half way:
/// what it reads of the directory before and after the pool counts both.
struct StoreCheck {
    let directory: StoreDirectory
    /// The store, if it can be opened.
    let store: StoreCore?
    /// The metadata directory, if it can be opened.
    let registry: LayerRegistry?
    private(set) var findings = Findings()
    /// The facts; `nil` where the metadata directory cannot be read.
    private(set) var facts: Inventory?
    private(set) var pool = PoolView()

    /// Examines the store in `root`.
    ///
    /// - Throws: ``LayerStoreError/Code/notInitialized`` when there is none.
    init(
        _ root: FilePath, options: StorageOptions, transport: (any ControlTransport)?
    ) throws(LayerStoreError) {
        do {
            try self.init(
                root,
                store: StoreCore.open(
                    root, options, transport, access: .readWrite, removals: .beforeReturning, patience: .seconds(30)))
        } catch {
            if [.optionsContradict, .invalidOption].contains(error.code) { throw error }
            try self.init(root, store: nil, refusal: error)
        }
    }

    /// Examines a store that could be opened, or that could not.
    ///
    /// - Parameter isAlone: Whether the caller has the store alone, so that no operation is under way.
    init(
        _ root: FilePath, store: StoreCore?, refusal: LayerStoreError? = nil, isAlone: Bool = false
    ) throws(LayerStoreError) {
        directory = try StoreDirectory(opening: root)
        self.store = store
        do {
            registry = try LayerRegistry(directory.metadata)
        } catch {
            if refusal?.code == .notInitialized { throw refusal ?? error }
            registry = nil
            findings.add(
                .metadataDirectory, .error, "metadata", error.reason,
                "Without the files in it nothing says which layers there are; restore it from a backup")
        }
        if let refusal { addRefusal(refusal) }
        // A directory that cannot be listed is reported when it is read again.
        let before = registry.flatMap { try? Inventory($0) }
        examinePool()
        // Where the lock cannot be asked for, an operation may be under way.
        let isBusy = isAlone ? false : (try? StoreLock(directory.lockFile).isHeld()) ?? true
        guard let registry else { return }
        do {
            facts = completed(try Inventory(registry), before, isBusy: isBusy, isAlone: isAlone)
        } catch {
            findings.add(
                .metadataDirectory, .error, "metadata", "\(directory.metadata) cannot be listed: \(error.reason)")
        }
        examine(registry, before)
    }

    private mutating func examinePool() {
        var examination = PoolExamination(directory, store)
        examination.run()
        pool = examination.pool
        add(examination.findings)
    }

    /// The facts about the files, completed by those about the pool.
    private func completed(
        _ files: Inventory, _ before: Inventory?, isBusy: Bool, isAlone: Bool
    ) -> Inventory {
        var facts = files
        facts.formerClaims = (before?.claims ?? []).subtracting(files.claims)
        facts.thinDevices = pool.devices.map { Set($0.keys) }
        facts.poolTransactionID = pool.superblock?.transactionID
        facts.ownsPool = store.map { $0.pool.named == nil } ?? false
        facts.isPoolMadeElsewhere = store?.configuration.pool.isMadeElsewhere ?? true
        // Without the marks nothing is known to have been in making, and nothing is deleted for it.
        facts.inMaking = (try? store?.readMarks())?.making ?? []
        facts.isBusy = isBusy
        facts.isBaseRight = !findings.contains(.configuration, .pool)
        // Without the device mapper no device is active.
        if let store { try? facts.addMappedDevices(of: store.devices) }
        for (index, device) in facts.mappedDevices.enumerated() where device.isSuspended && !isAlone {
            // A device that cannot be asked any more has gone.
            let isLeft = try? store?.isLeftSuspended(.name(DeviceName(device.name)))
            facts.mappedDevices[index].isSuspended = isLeft ?? false
        }
        return facts
    }

    private mutating func examine(_ registry: LayerRegistry, _ before: Inventory?) {
        guard let facts else { return }
        var files = FileExamination(directory, registry, facts)
        files.run()
        add(files.findings)
        var devices = DeviceExamination(directory, facts, pool, store)
        devices.run(facts.records.filter { before?.records[$0.key]?.deviceID == $0.value.deviceID })
        add(devices.findings)
        var base = BaseExamination(registry, facts, pool, store, after: findings)
        base.run()
        add(base.findings)
    }

    private mutating func add(_ more: Findings) {
        for finding in more.all {
            findings.add(
                finding.kind, finding.severity, finding.subject, finding.message, finding.advice,
                isRepairable: finding.isRepairable)
        }
    }

    private mutating func addRefusal(_ error: LayerStoreError) {
        guard registry != nil else { return }
        let file = directory.root.appending(StoreConfiguration.fileName)
        if error.code == .notInitialized {
            findings.add(
                .configuration, .error, StoreConfiguration.fileName,
                "there is no \(file), and the root is none that Docker's driver has completed: nothing says what its pool is",
                "Restore the file from a backup")
        } else {
            findings.add(
                .configuration, .error, StoreConfiguration.fileName, error.reason,
                "Restore the file from a backup. In a root on loop files that has a base device, moving it away helps too: "
                    + "what it says then follows from the other files, but for the mount options and dm.min_free_space")
        }
    }
}

extension StoreCheck {
    static func report(
        on root: FilePath, _ options: StorageOptions, _ transport: (any ControlTransport)?, before: [StoreFinding] = [],
        failures: [String] = []
    ) throws -> StoreReport {
        var check = try StoreCheck(root, options: options, transport: transport)
        if check.facts?.isBusy ?? true || check.pool.isActive,
            check.findings.all.contains(where: { $0.severity > .information })
        {
            // Something that somebody was just doing is not there a moment later.
            pause(for: .milliseconds(250))
            let first = check.findings
            check = try StoreCheck(root, options: options, transport: transport)
            check.findings.keep(alsoIn: first)
        }
        let findings = check.findings.all.sorted { left, right in
            left.severity == right.severity ? left.subject < right.subject : left.severity > right.severity
        }
        return StoreReport(
            findings: findings, repaired: before.filter { finding in !findings.contains { $0.isSame(as: finding) } },
            failures: failures, layerCount: check.facts?.records.count ?? 0,
            thinDeviceCount: check.pool.devices?.count, isPoolActive: check.pool.isActive)
    }
}
