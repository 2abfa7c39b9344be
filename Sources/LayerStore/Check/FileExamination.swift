internal import SystemPackage
internal import ThinProvisioning

/// The part of a check that reads only the store's files: metadata files, temporary files and Docker's transaction.
struct FileExamination {
    let directory: StoreDirectory
    let registry: LayerRegistry
    let facts: Inventory
    var findings = Findings()

    init(_ directory: StoreDirectory, _ registry: LayerRegistry, _ facts: Inventory) {
        self.directory = directory
        self.registry = registry
        self.facts = facts
    }

    mutating func run() {
        for (name, reason) in facts.damaged {
            findings.add(
                .damagedFile, .error, name, "the metadata file \(name) cannot be used: \(reason)",
                "Restore it from a backup, or write it anew: the other layers work, but what a crash leaves in the pool "
                    + "stays there until every file can be understood")
        }
        for name in facts.temporaryFiles {
            addTemporaryFile(name, in: directory.metadata)
        }
        // A root that cannot be listed has been reported.
        for name in (try? DurableDirectory(directory.root).temporaryNames()) ?? [] {
            addTemporaryFile(name, in: directory.root)
        }
        examineRecords()
        examineTransaction()
    }

    /// Such a file is no fault: the write that it belongs to counts as not made, and nothing reads it.
    private mutating func addTemporaryFile(_ name: String, in directory: FilePath) {
        findings.add(
            .temporaryFile, .information, name, "\(name) in \(directory) is left of a write that was interrupted",
            isRepairable: true)
    }

    private mutating func examineRecords() {
        for (id, layers) in Dictionary(grouping: facts.records, by: \.value.deviceID) where layers.count > 1 {
            let names = layers.map(\.key).sorted()
            findings.add(
                .duplicateDevice, .error, names.joined(separator: " "),
                "\(names.joined(separator: " and ")) have the same thin device \(id); whoever writes to one changes the other",
                "Find out which of them it belongs to (its file system has the content), and restore the other's file or "
                    + "move it out of \(directory.metadata). Do not remove either before: both would go")
        }
        for (name, record) in facts.records {
            if facts.removals.contains(record.deviceID) {
                findings.add(
                    .removal, .warning, name,
                    "\(LayerRegistry.removalName(record.deviceID)) says that thin device \(record.deviceID) is being "
                        + "removed, and \(name) has it", "If \(name) can be mounted, remove that file")
            }
            if record.isDeleted {
                findings.add(
                    .removal, .information, name,
                    "Docker has marked \(name) as deleted; it goes as soon as nothing uses its device")
            }
            if let parent = record.parent, facts.records[parent] == nil, facts.damaged[parent] == nil {
                findings.add(
                    .missingParent, .information, name,
                    "\(name) was made from \(parent), which does not exist any more; it does not need it")
            }
        }
    }

    /// Docker's transactions.
    private mutating func examineTransaction() {
        let transaction: DockerTransaction?
        do {
            transaction = try registry.dockerTransaction()
        } catch {
            findings.add(
                .transaction, .warning, "transaction-metadata", error.reason,
                "Docker passes over it, and so does dmlayer. If nothing else is wrong, remove it")
            return
        }
        guard let present = facts.poolTransactionID else { return }
        if let transaction {
            let layer = transaction.layer.isEmpty ? LayerID.base.text : transaction.layer
            if transaction.openTransactionID > present {
                findings.add(
                    .transaction, .warning, "transaction-metadata",
                    "Docker was interrupted while it made or removed \(layer) (thin device \(transaction.deviceID)): its "
                        + "transaction \(transaction.openTransactionID) is ahead of the pool, which is at \(present)",
                    "The next operation ends it as Docker would", isRepairable: true)
            } else if transaction.openTransactionID < present {
                findings.add(
                    .transaction, .information, "transaction-metadata",
                    "Docker's last transaction is \(transaction.openTransactionID), and the pool is at \(present): "
                        + "something else has changed the pool since, or the files are older than it")
            }
        }
        for (name, record) in facts.records.sorted(by: { $0.key < $1.key })
        where record.transactionID > max(present, transaction?.openTransactionID ?? 0) {
            findings.add(
                .transaction, .error, name,
                "\(name) was made in transaction \(record.transactionID), and the pool is at \(present): its metadata is "
                    + "older than the files, or belongs to another pool",
                "If the metadata of the pool was restored from a backup, everything made since is lost")
        }
    }
}
