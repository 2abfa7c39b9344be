internal import DeviceMapper
internal import Filesystems
internal import SystemPackage
internal import ThinProvisioning

/// The thin devices of the pool, and the mapped devices of the store, against the layers: the plan of the recovery in words.
struct DeviceExamination {
    let directory: StoreDirectory
    let facts: Inventory
    let pool: PoolView
    /// The store, if it can be opened.
    let store: StoreCore?
    var findings = Findings()

    init(_ directory: StoreDirectory, _ facts: Inventory, _ pool: PoolView, _ store: StoreCore?) {
        self.directory = directory
        self.facts = facts
        self.pool = pool
        self.store = store
    }

    /// - Parameter records: The layers that were there before and after the pool was read.
    mutating func run(_ records: [String: LayerRecord]) {
        if let devices = pool.devices {
            for (name, record) in records {
                if devices[record.deviceID] != nil {
                    examineSize(of: name, record)
                } else if !record.isDeleted {
                    addMissing(name, record)
                }
            }
        }
        for step in RecoveryPlan(facts).steps { add(step) }
        examineTables()
    }

    private mutating func addMissing(_ name: String, _ record: LayerRecord) {
        findings.add(
            .missingDevice, .error, name,
            "\(name) has the thin device \(record.deviceID), which the pool does not have: its content is lost",
            name == LayerID.base.text
                ? "The layers work, and no new ones can be made from nothing. “dmlayer check --repair --forget base” and then "
                    + "“dmlayer init” make a new base device"
                : "Restore the pool's metadata from a backup, or give the layer up with “dmlayer check --repair "
                    + "--forget \(name)”")
    }

    /// Says one step of the plan.
    ///
    /// Files that interrupted writes left, and Docker's marks, are findings of the files.
    private mutating func add(_ step: RecoveryPlan.Step) {
        let isRepairable = step.standing <= .repair
        switch (step.action, step.reason) {
        case (.delete(let number), .interruptedCreation): addUnfinished(number, isRepairable: isRepairable)
        case (.delete(let number), _): addOrphan(number, step.standing)
        case (.endRemoval(let number), _):
            guard pool.devices != nil else { return }
            findings.add(
                .removal, .information, "\(number)",
                "a layer with the thin device \(number) has been removed, and "
                    + (pool.devices?[number] == nil ? "its device is gone" : "its device is still to be deleted"))
        case (.resume(let device), _):
            findings.add(
                .mappedDevice, .warning, device.name,
                "the mapped device \(device.name) is suspended: everything that uses it waits. A process died while a "
                    + "snapshot was made of it, or somebody suspended it by hand", isRepairable: isRepairable)
        case (.removeMapped(let device), _):
            guard !facts.isBusy else { return }
            findings.add(
                .mappedDevice, .warning, device.name,
                "the mapped device \(device.name) is active, and no layer has its thin device \(device.number)",
                isRepairable: isRepairable)
        case (.removeTemporaryFile, _), (.endTransaction, _), (.beginRemoval, _), (.dropRemoval, _): return
        }
    }

    private mutating func addUnfinished(_ number: ThinDeviceID, isRepairable: Bool) {
        guard !facts.isBusy else {
            return findings.add(
                .unfinished, .information, "\(number)",
                "thin device \(number) has no layer yet; an operation is under way")
        }
        findings.add(
            .unfinished, .warning, "\(number)",
            "thin device \(number) has no layer: the operation that made it was interrupted, or its layer's file was lost",
            isRepairable
                ? "If it is a layer whose file was lost, “dmlayer check --repair --adopt \(number)=ID” makes it one again, "
                    + "before anything else is done with the store. Otherwise the recovery deletes it"
                : Self.isKept, isRepairable: isRepairable)
    }

    private mutating func addOrphan(_ number: ThinDeviceID, _ standing: RecoveryPlan.Standing) {
        let size = pool.exclusiveBytes(of: number).map { "; its deletion frees \(ByteSize.decimal($0))" } ?? ""
        let deletion =
            switch standing {
            case .recovery, .repair: "Otherwise “dmlayer check --repair” deletes it"
            case .order: "If nobody else uses the pool, “dmlayer check --repair --delete \(number)” deletes it"
            case .nobody: Self.isKept
            }
        findings.add(
            .orphanDevice, .warning, "\(number)", "the pool has a thin device \(number) that no layer has\(size)",
            "If it is a layer whose file was lost, “dmlayer check --repair --adopt \(number)=ID” makes it one again. "
                + deletion, isRepairable: standing <= .repair)
    }

    private static let isKept = "It is left alone while a metadata file cannot be understood: the file may be about it"

    // MARK: Sizes

    private mutating func examineSize(of name: String, _ record: LayerRecord) {
        guard record.size > 0, record.size % Sectors.bytesPerSector == 0, record.size <= Int64.max else {
            return findings.add(
                .size, .error, name,
                "\(name) has a size of \(record.size) bytes; no device has, since it is a multiple of 512 up to 2^63",
                "Write its size into the file \(directory.metadata.appending(name))")
        }
        guard let unit = pool.superblock?.blockSize.bytes, unit > 0 else { return }
        if let highest = pool.highestBlock(of: record.deviceID), highest > (record.size - 1) / unit {
            findings.add(
                .size, .error, name,
                "\(name) is \(record.size) bytes long, and its thin device has data up to byte \((highest + 1) &* unit)",
                "Somebody made it smaller: write the size that it had into \(directory.metadata.appending(name))")
        } else if let superblock = pool.filesystem(of: record), superblock.size > record.size {
            findings.add(
                .size, .error, name,
                "\(name) is \(record.size) bytes long, and the \(superblock.type.rawValue) on it needs \(superblock.size); it "
                    + "cannot be mounted", "Write the size that it had into \(directory.metadata.appending(name))")
        }
    }

    // MARK: Tables

    /// Compares the tables of the active devices with what their uuids say.
    private mutating func examineTables() {
        // Without the device mapper no device is active.
        guard let control = try? store?.kernel.control() else { return }
        for device in facts.mappedDevices {
            // A name that the library does not take is no layer's.
            guard let name = try? DeviceName(device.name),
                // A device that has just gone has no table.
                let target = try? control.table(of: .name(name)).entries.first?.target
            else { continue }
            let thin = target.as(ThinTarget.self)
            guard thin?.identifier != UInt64(device.number.value) else { continue }
            let table =
                thin.map { "shows the thin device \($0.identifier), and its uuid says \(device.number)" }
                ?? "has a table of the type “\(target.type)” instead of its thin device \(device.number); "
                + "“dmsetup remove --force” leaves “error” there"
            findings.add(
                .mappedDevice, .error, device.name, "the mapped device \(device.name) \(table)",
                "Unmount the layer, and mount it again")
        }
    }
}
