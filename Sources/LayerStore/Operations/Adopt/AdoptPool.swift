internal import DeviceMapper
internal import Filesystems
internal import SystemPackage
internal import ThinProvisioning

/// Makes a store of the thin devices that another program made in a pool.
///
/// These always hold:
///
/// * nothing is written to the pool, and nothing to the other program's files: while the store makes and removes nothing, the
///   other program can go on;
/// * until everything is written, `store.json` says that the store is being made, and every other command refuses it. So a
///   call that fails takes its files away, and a call behind one that was killed begins anew;
/// * a mapped device of the other program that is open, or is not certainly the layer's, is never removed.
struct AdoptPool {
    let root: FilePath
    /// The options; they name the pool.
    let options: StorageOptions
    let layers: [AdoptedLayer]
    /// Opens the store with a configuration.
    let open: (StoreDirectory, StoreConfiguration) throws -> StoreCore

    /// The first number of the store's own thin devices, half way to the last.
    ///
    /// The other program counts from 1 on. So no number of the store's is in its way if it goes on after all.
    static let firstNumber: UInt32 = 1 << 23

    /// - Returns: The names of the mapped devices that were removed.
    func run() throws -> [String] {
        guard !layers.isEmpty else {
            throw LayerStoreError(.failed, "there is no snapshot to take over; “dmlayer init” makes a new store")
        }
        try InitializeStore.requireMounted(root)
        let claim = try StoreClaim(root, owner: nil)
        var hasBegun = false
        do {
            try requireNew(claim.directory)
            var configuration = StoreConfiguration(new: options, defaultFilesystem: .ext4)
            configuration.making = StoreMaking(wasPoolActive: true, isAdoption: true)
            configuration.firstDeviceID = Self.firstNumber
            let pool = try Self.pool(options, control: try open(claim.directory, configuration).kernel.control())
            configuration.blockSize = pool.blockSize.bytes
            configuration.pool.poolUUID = try NamedPool.lastingUUID(of: pool)
            let core = try open(claim.directory, configuration)
            let content = try PoolContent(of: pool)
            try requireUntaken(content)
            let former = try formerDevices(among: content.active)
            hasBegun = true
            try configuration.write(in: claim.directory)
            try save(in: core, pool)
            for device in former { try remove(device, pool.control) }
            configuration.making = nil
            try configuration.write(in: claim.directory)
            return former.map(\.name.description)
        } catch {
            // Files that stay make every other command refuse the store. The first failure is the one to report.
            if hasBegun { try? takeBack(claim.directory) }
            claim.giveBack()
            throw error
        }
    }

    /// The pool that the options name, which must be active.
    ///
    /// - Throws: ``LayerStoreError/Code/backingStore`` when it is not.
    static func pool(_ options: StorageOptions, control: Control) throws -> ThinPool {
        let source = PoolSource(options)
        guard let path = source.poolDevice, let named = NamedPool(source, root: "/", .readWrite),
            let pool = try named.active(control)
        else {
            throw LayerStoreError(
                .backingStore,
                "the pool \(source.poolDevice ?? "") is not active; activate it as before, with the script or the unit that runs "
                    + "“dmsetup create” for it")
        }
        guard case .available = try pool.status() else {
            throw LayerStoreError(
                .backingStore, "the pool \(path) has failed; the kernel log (dmesg) says why")
        }
        return pool
    }

    /// Refuses a root that has something.
    private func requireNew(_ directory: StoreDirectory) throws {
        let registry = try LayerRegistry(directory.metadata)
        if try StoreConfiguration.read(in: directory)?.making?.isAdoption == true { return try takeBack(directory) }
        guard try StoreConfiguration.read(in: directory) == nil, try !registry.hasRecords() else {
            throw LayerStoreError(
                .layerExists,
                "\(directory.root) holds a store already; name a directory that is empty, or does not exist, with --root"
            )
        }
    }

    /// Refuses a pool of which another store has taken the layers over, and has made thin devices of its own.
    private func requireUntaken(_ pool: PoolContent) throws(LayerStoreError) {
        guard let last = pool.thinDevices.max(), last.value >= Self.firstNumber else { return }
        throw LayerStoreError(
            .foreignDevice,
            "the pool \(pool.name) has the thin device \(last), as a store makes it that has taken the pool over already: each would "
                + "delete what the other one needs. If that store is gone, delete the device with “dmlayer dm message \(pool.name) 0 "
                + "delete \(last)”")
    }

    /// The mapped devices of the other program that show the layers' thin devices.
    ///
    /// Two mapped devices of one thin device would each have a cache of their own, and a thin device with one cannot be deleted.
    private func formerDevices(among devices: [PoolContent.ActiveDevice]) throws -> [PoolContent.ActiveDevice] {
        let names = Dictionary(layers.map { ($0.record.deviceID, $0.formerDevice) }) { first, _ in first }
        let active = devices.filter { names[$0.thinDevice] != nil }
        for device in active {
            guard device.openCount == 0 else {
                let users = DeviceUser.users(of: device.number).map(LayerUser.init)
                throw LayerStoreError(
                    .busy,
                    "the device \(device.name) is in use" + (users.isEmpty ? "" : " by \(users.sentence)")
                        + "; stop the containers and unmount it, then try again")
            }
            guard device.name.description == names[device.thinDevice] else {
                throw LayerStoreError(
                    .foreignDevice,
                    "the device \(device.name) is on the thin device \(device.thinDevice) of the pool, and containerd did not "
                        + "make it: it would be “\(names[device.thinDevice] ?? "")”. Remove it with “dmsetup remove” if nobody "
                        + "needs it")
            }
        }
        return active
    }

    private func save(in core: StoreCore, _ pool: ThinPool) throws {
        guard case .available(let state) = try pool.status() else { return }
        let events = try PoolEventMark(of: pool)
        for layer in layers {
            var record = layer.record
            record.transactionID = state.transactionID
            if record.snapshot?.kind == .active { record.snapshot?.poolEvents = events }
            try core.registry.save(record, of: layer.id)
        }
    }

    /// Removes a mapped device, which the kernel refuses if it is open.
    private func remove(_ device: PoolContent.ActiveDevice, _ control: Control) throws(DeviceMapperError) {
        do {
            try control.removeDevice(.number(device.number))
        } catch {
            guard error.code == .noSuchDevice else { throw error }
        }
    }

    /// Takes the files away, `store.json` last, so that this can be repeated.
    private func takeBack(_ directory: StoreDirectory) throws {
        let registry = try LayerRegistry(directory.metadata)
        for name in try registry.names() + registry.temporaryNames() { try registry.removeFile(name) }
        try registry.synchronize()
        let root = try DurableDirectory(directory.root)
        try root.removeTemporaryFiles()
        try root.remove(StoreConfiguration.fileName)
        try root.synchronize()
    }
}
