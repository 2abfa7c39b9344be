internal import SystemPackage
internal import ThinProvisioning

/// What the files say by themselves.
extension StoreCheck {
    mutating func examineFiles() {
        guard let after else {
            if metadata != nil {
                add(.metadataDirectory, .error, "metadata", "\(directory.metadata) cannot be listed")
            }
            return
        }
        for (name, reason) in after.damaged {
            add(
                .damagedFile, .error, name, "the metadata file \(name) cannot be used: \(reason)",
                "Restore it from a backup, or write it anew: the other layers work, but what a crash leaves in the pool "
                    + "stays there until every file can be understood")
        }
        for name in after.temporaryFiles {
            add(
                .temporaryFile, .warning, name,
                "\(name) in \(directory.metadata) is left of a write that was interrupted",
                isRepairable: true)
        }
        for name in (try? DurableDirectory(directory.root).temporaryNames()) ?? [] {
            add(
                .temporaryFile, .warning, name, "\(name) in \(directory.root) is left of a write that was interrupted",
                isRepairable: true)
        }
        examineRecords(after)
        examineTransaction(after)
    }

    private mutating func examineRecords(_ contents: MetadataContents) {
        for (id, layers) in Dictionary(grouping: contents.records, by: \.value.deviceID) where layers.count > 1 {
            let names = layers.map(\.key).sorted()
            add(
                .duplicateDevice, .error, names.joined(separator: " "),
                "\(names.joined(separator: " and ")) have the same thin device \(id); whoever writes to one changes the other",
                "Find out which of them it belongs to (its file system has the content), and restore the other's file or "
                    + "move it out of \(directory.metadata). Do not remove either before: both would go")
        }
        for (name, record) in contents.records {
            if contents.removals.contains(record.deviceID) {
                add(
                    .removal, .warning, name,
                    "\(MetadataContents.removalPrefix)\(record.deviceID) says that thin device \(record.deviceID) is being "
                        + "removed, and \(name) has it", "If \(name) can be mounted, remove that file")
            }
            if record.isDeleted {
                add(
                    .removal, .information, name,
                    "Docker has marked \(name) as deleted; it goes as soon as nothing uses its device")
            }
            if let parent = record.parent, contents.records[parent] == nil, contents.damaged[parent] == nil {
                add(
                    .missingParent, .information, name,
                    "\(name) was made from \(parent), which does not exist any more; it does not need it")
            }
        }
    }

    /// Docker's transactions.
    private mutating func examineTransaction(_ contents: MetadataContents) {
        guard let metadata else { return }
        let transaction: DockerTransaction?
        do {
            transaction = try metadata.dockerTransaction()
        } catch {
            add(
                .transaction, .warning, "transaction-metadata", error.reason,
                "Docker passes over it, and so does dmlayer. If nothing else is wrong, remove it")
            return
        }
        guard let present = pool.superblock?.transactionID else { return }
        if let transaction {
            let layer = transaction.layer.isEmpty ? LayerID.base.text : transaction.layer
            if transaction.openTransactionID > present {
                add(
                    .transaction, .warning, "transaction-metadata",
                    "Docker was interrupted while it made or removed \(layer) (thin device \(transaction.deviceID)): its "
                        + "transaction \(transaction.openTransactionID) is ahead of the pool, which is at \(present)",
                    "The next operation ends it as Docker would", isRepairable: true)
            } else if transaction.openTransactionID < present {
                add(
                    .transaction, .information, "transaction-metadata",
                    "Docker's last transaction is \(transaction.openTransactionID), and the pool is at \(present): "
                        + "something else has changed the pool since, or the files are older than it")
            }
        }
        for (name, record) in contents.records.sorted(by: { $0.key < $1.key })
        where record.transactionID > max(present, transaction?.openTransactionID ?? 0) {
            add(
                .transaction, .error, name,
                "\(name) was made in transaction \(record.transactionID), and the pool is at \(present): its metadata is "
                    + "older than the files, or belongs to another pool",
                "If the metadata of the pool was restored from a backup, everything made since is lost")
        }
    }
}
