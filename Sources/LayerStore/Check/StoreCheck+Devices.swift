internal import DeviceMapper
internal import Filesystems
internal import SystemPackage
internal import ThinProvisioning

/// The thin devices of the pool against the layers.
extension StoreCheck {
    mutating func examineDevices() {
        guard let before, let after, let devices = pool.devices else { return }
        for (name, record) in records {
            if devices[record.deviceID] != nil {
                examineSize(of: name, record)
            } else if !record.isDeleted {
                add(
                    .missingDevice, .error, name,
                    "\(name) has the thin device \(record.deviceID), which the pool does not have: its content is lost",
                    name == LayerID.base.text
                        ? "Its layers work, and no new ones can be made from it"
                        : "Restore the pool's metadata from a backup, or give the layer up with “dmlayer check --repair "
                            + "--forget \(name)”")
            }
        }
        let transaction = (try? metadata?.dockerTransaction()).flatMap { transaction in
            transaction.openTransactionID > pool.superblock?.transactionID ?? .max
                ? ThinDeviceID(transaction.deviceID) : nil
        }
        let known = before.knownIDs.union(after.knownIDs)
        let registered = Set(before.records.values.map(\.deviceID)).union(after.records.values.map(\.deviceID))
            .union(before.removals).union(after.removals)
        for id in devices.keys.sorted() where !registered.contains(id) && id != transaction {
            if known.contains(id) {
                addUnfinished(id)
            } else {
                addOrphan(id)
            }
        }
        for id in after.removals.intersection(before.removals).sorted() where !registeredByLayer(id) {
            add(
                .removal, .information, "\(id)",
                "a layer with the thin device \(id) has been removed, and "
                    + (devices[id] == nil ? "its device is gone" : "its device is still to be deleted"))
        }
    }

    private func registeredByLayer(_ id: ThinDeviceID) -> Bool {
        after?.records.values.contains { $0.deviceID == id } ?? false
    }

    private mutating func addUnfinished(_ id: ThinDeviceID) {
        if isBusy {
            add(.unfinished, .information, "\(id)", "thin device \(id) has no layer yet; an operation is under way")
        } else {
            let isComplete = after?.isComplete == true
            add(
                .unfinished, .warning, "\(id)",
                "thin device \(id) has no layer: the operation that made it was interrupted, or its layer's file was lost",
                isComplete
                    ? "If it is a layer whose file was lost, “dmlayer check --repair --adopt \(id)=ID” makes it one again, "
                        + "before anything else is done with the store. Otherwise the recovery deletes it"
                    : Self.isKept, isRepairable: isComplete)
        }
    }

    private mutating func addOrphan(_ id: ThinDeviceID) {
        var size = ""
        if let bytes = exclusiveBytes(of: id) { size = "; its deletion frees \(ByteSize.decimal(bytes))" }
        let adoption =
            "If it is a layer whose file was lost, “dmlayer check --repair --adopt \(id)=ID” makes it one again"
        let deletion: String
        if after?.isComplete != true {
            deletion = Self.isKept
        } else if ownsPool {
            deletion = "Otherwise “dmlayer check --repair” deletes it"
        } else {
            deletion = "If nobody else uses the pool, “dmlayer check --repair --delete \(id)” deletes it"
        }
        add(
            .orphanDevice, .warning, "\(id)", "the pool has a thin device \(id) that no layer has\(size)",
            "\(adoption). \(deletion)", isRepairable: ownsPool && after?.isComplete == true)
    }

    private static let isKept = "It is left alone while a metadata file cannot be understood, which may be its"

    private func exclusiveBytes(of id: ThinDeviceID) -> UInt64? {
        guard let source = pool.source, let unit = pool.superblock?.blockSize.bytes else { return nil }
        return try? ThinPoolMetadata.consistently(reading: source) { try $0.exclusiveBlocks(of: id) * unit }
    }

    // MARK: Sizes

    private mutating func examineSize(of name: String, _ record: LayerRecord) {
        guard record.size > 0, record.size % Sectors.bytesPerSector == 0, record.size <= Int64.max else {
            return add(
                .size, .error, name,
                "\(name) has a size of \(record.size) bytes; no device has, since it is a multiple of 512 up to 2^63",
                "Write its size into the file \(directory.metadata.appending(name))")
        }
        guard let source = pool.source, let unit = pool.superblock?.blockSize.bytes else { return }
        let highest = try? ThinPoolMetadata.consistently(reading: source) { metadata in
            try metadata.highestBlock(of: record.deviceID)
        }
        if let highest, highest > (record.size - 1) / unit {
            add(
                .size, .error, name,
                "\(name) is \(record.size) bytes long, and its thin device has data up to byte \((highest + 1) &* unit)",
                "Somebody made it smaller: write the size that it had into \(directory.metadata.appending(name))")
        } else if let superblock = filesystem(of: record), superblock.size > record.size {
            add(
                .size, .error, name,
                "\(name) is \(record.size) bytes long, and the \(superblock.type.rawValue) on it needs \(superblock.size); it "
                    + "cannot be mounted", "Write the size that it had into \(directory.metadata.appending(name))")
        }
    }

    /// The file system on a thin device, read without activating anything.
    func filesystem(of record: LayerRecord) -> Superblock? {
        guard let source = pool.source, let data = pool.dataPath else { return nil }
        return try? ThinPoolMetadata.consistently(reading: source) { metadata in
            let content = try ThinDeviceContent(of: record.deviceID, in: metadata, data: data)
            return try Superblock.probe(size: record.size, read: content.read)
        }
    }

    // MARK: Mapped devices

    /// The devices of layers that are active.
    mutating func examineMappedDevices() {
        guard let store, let control = try? store.control(), let after,
            let devices = try? control.devices(withPrefix: directory.devicePrefix)
        else { return }
        let numbers = Dictionary(after.records.map { ($0.value.deviceID, $0.key) }) { first, _ in first }
        for device in devices {
            guard let information = try? control.information(on: .number(device.number)),
                let number = store.thinDevice(information.uuid)
            else { continue }
            let subject = device.name.description
            let node = "the mapped device \(device.name) (\(device.number))"
            if information.isSuspended {
                add(
                    .mappedDevice, .warning, subject,
                    "\(node) is suspended: whoever uses it waits. Somebody died while a snapshot was made of it, or has "
                        + "suspended it by hand", isRepairable: true)
            }
            if numbers[number] == nil, !after.removals.contains(number), !isBusy {
                add(
                    .mappedDevice, .warning, subject,
                    "\(node) is active, and no layer has its thin device \(number)", isRepairable: after.isComplete)
            }
            guard case .thin(let target)? = try? control.table(of: .number(device.number)).entries.first?.target,
                target.identifier != UInt64(number.value)
            else { continue }
            add(
                .mappedDevice, .error, subject,
                "\(node) shows the thin device \(target.identifier), and its uuid says \(number)",
                "Unmount the layer, and mount it again")
        }
    }
}
