internal import Filesystems
internal import SystemPackage

/// The base device, which tells whether the files are about this pool.
struct BaseExamination {
    let registry: LayerRegistry
    let facts: Inventory
    let pool: PoolView
    /// The store, if it can be opened.
    let store: StoreCore?
    /// The findings of the examinations before this one.
    let before: Findings
    var findings = Findings()

    init(_ registry: LayerRegistry, _ facts: Inventory, _ pool: PoolView, _ store: StoreCore?, after before: Findings) {
        self.registry = registry
        self.facts = facts
        self.pool = pool
        self.store = store
        self.before = before
    }

    mutating func run() {
        let base = facts.records[LayerID.base.text]
        if base == nil, facts.damaged[LayerID.base.text] == nil {
            findings.add(
                .baseDevice, .error, LayerID.base.text,
                "there is no base device; the layers work, and no new ones can be made",
                "If the pool has it still, “dmlayer check --repair --adopt DEVICE-ID=base” makes its file; otherwise "
                    + "“dmlayer init” makes a new base device")
        }
        if let base, !base.isInitialized {
            findings.add(
                .baseDevice, .error, LayerID.base.text,
                "the base device has no file system: its making was interrupted",
                "“dmlayer init” makes it anew")
        }
        let superblock = base.flatMap { $0.isInitialized ? pool.filesystem(of: $0) : nil }
        if let base, base.isInitialized, superblock == nil, let pool = pool.devices, pool[base.deviceID] != nil {
            findings.add(
                .baseDevice, .error, LayerID.base.text,
                "no file system can be found on the base device, which should have one",
                "New layers cannot be mounted. Do not use the store until it is known what was overwritten")
        }
        do {
            guard let set = try registry.deviceSet() else {
                if base?.isInitialized == true { addDeviceSet("there is no deviceset-metadata", superblock) }
                return
            }
            examine(set, superblock)
        } catch {
            addDeviceSet(error.reason, superblock)
        }
    }

    private mutating func addDeviceSet(_ reason: String, _ superblock: Superblock?) {
        findings.add(
            .deviceSet, .warning, "deviceset-metadata",
            "\(reason); it says which file system the base device has, and its UUID",
            superblock == nil ? "Restore it from a backup" : "A repair writes it anew from the base device",
            isRepairable: superblock != nil && canWriteDeviceSet)
    }

    /// Whether nothing else speaks against the base device being the right one.
    private var canWriteDeviceSet: Bool {
        facts.isComplete && !before.contains(.missingDevice, .configuration)
    }

    private mutating func examine(_ set: DeviceSetRecord, _ superblock: Superblock?) {
        if let superblock, superblock.uuid != set.baseDeviceUUID {
            findings.add(
                .baseDevice, .error, LayerID.base.text,
                "the file system of the base device has the UUID \(superblock.uuid), and deviceset-metadata says "
                    + "\(set.baseDeviceUUID): the files are not about this pool",
                "Do not use the store before it is known which of the two belongs here")
        }
        let names =
            [("deviceset-metadata", set.baseDeviceFilesystem)]
            + (store.map { [(StoreConfiguration.fileName, $0.configuration.filesystem.rawValue)] } ?? [])
            + (superblock.map { [("the base device itself", $0.type.rawValue)] } ?? [])
        for (place, type) in names.dropFirst() where type != set.baseDeviceFilesystem {
            findings.add(
                .deviceSet, .error, place == StoreConfiguration.fileName ? place : "deviceset-metadata",
                "deviceset-metadata says that the layers have \(set.baseDeviceFilesystem), and \(place) says \(type)",
                superblock.map { "They have \($0.type.rawValue); write that where it is wrong" })
        }
    }
}
