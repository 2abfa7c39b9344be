internal import DeviceMapper
internal import Filesystems
internal import SystemPackage
internal import ThinProvisioning

/// Makes a store, or changes the options of one that is complete.
struct InitializeStore {
    let root: FilePath
    let options: StorageOptions
    let owner: LayerOwner?
    /// Opens the store with a configuration.
    let open: (StoreDirectory, StoreConfiguration) throws -> StoreCore
    /// Is told about requests that were not carried out, although nothing failed.
    let note: (String) -> Void

    /// - Returns: The store.
    func run() throws -> StoreCore {
        try Self.requireMounted(root)
        let claim = try StoreClaim(root, owner: owner)
        do {
            let kept = try StoreConfiguration.read(in: claim.directory, options)
            if let kept { try Self.requireNoAdoption(kept) }
            if let kept, try Self.isComplete(kept, claim.directory) { return try change(kept, claim) }
            if let kept { try Self.takeAway(kept, claim, open) }
            return try make(claim)
        } catch {
            claim.giveBack()
            throw error
        }
    }

    /// Refuses to make a store in the mount point of a file system that `/etc/fstab` names and that is not mounted.
    ///
    /// The store that is meant may be on that file system, and would be hidden when this one is made in its place.
    static func requireMounted(_ root: FilePath) throws {
        // A path that cannot be examined counts as missing.
        let isThere = ["store.json", "metadata"].contains { (try? Stat(root.appending($0))) != nil }
        guard !isThere, let missing = FilesystemList.current().missingMount(above: root, in: try MountTable.current())
        else { return }
        throw LayerStoreError(
            .backingStore,
            "\(missing) is not mounted, and /etc/fstab says that a file system belongs there, on which a store may be. Mount "
                + "it first, with “mount \(missing)”. To make a store without it, take its line out of /etc/fstab")
    }

    /// Takes away what an `init` that was killed has left: devices that are active, and files.
    ///
    /// - Returns: Whether there was such a store.
    static func takeAwayIncomplete(
        _ root: FilePath, _ open: (StoreDirectory, StoreConfiguration) throws -> StoreCore
    ) throws -> Bool {
        // Where there is no root, there is nothing in it.
        guard let directory = try? StoreDirectory(opening: root),
            try StoreConfiguration.read(in: directory)?.making != nil
        else { return false }
        let claim = try StoreClaim(root, owner: nil)
        guard let kept = try StoreConfiguration.read(in: claim.directory), kept.making != nil,
            try !isComplete(kept, claim.directory)
        else { return false }
        try takeAway(kept, claim, open)
        return true
    }

    /// Refuses a root into which another program's layers are being taken over.
    private static func requireNoAdoption(_ kept: StoreConfiguration) throws(LayerStoreError) {
        guard kept.making?.isAdoption == true else { return }
        throw LayerStoreError(
            .notInitialized,
            "“dmlayer snapshot adopt” makes the store, or was interrupted; run it again, and it begins anew")
    }

    /// Whether a root has what a new store would destroy: a base device that was promised to somebody, or layers.
    ///
    /// A file that cannot be understood may be about one.
    private static func isComplete(
        _ kept: StoreConfiguration, _ directory: StoreDirectory
    ) throws(LayerStoreError) -> Bool {
        // Another program's pool is in it, whether or not a layer is left.
        if kept.isAdopted, kept.making == nil { return true }
        return try LayerRegistry(directory.metadata).records().contains { name, record in
            guard name == LayerID.base.text, case .success(let base) = record else { return true }
            return base.isInitialized && kept.making == nil
        }
    }

    // MARK: A new store

    private func make(_ claim: StoreClaim) throws -> StoreCore {
        let preferred = StorageOptions.Filesystem(rawValue: FilesystemType.preferred().rawValue) ?? .ext4
        var configuration = StoreConfiguration(
            new: options, defaultFilesystem: options.filesystem ?? preferred, owner: owner)
        let core = try open(claim.directory, configuration)
        try InitRequirements(core: core).check()
        let maker = InitMaking(core: core)
        let making = try maker.plan()
        configuration.making = making
        do {
            try configuration.write(in: claim.directory)
            try DirectLVMSetup(claim.directory).make(options, zeroesNewBlocks: configuration.zeroesNewBlocks ?? false)
            try maker.makeFiles()
            let pool = try StoreSession.poolAlone(in: core, claim.alone, claim.holder)
            try PoolFeatures(core: core).require(options, of: pool)
            configuration.pool.poolUUID = try core.pool.lastingUUID(of: pool)
            try MakeBaseDevice(core: core).run(claim.alone.layer(.base), in: pool, claim.holder)
            configuration.making = nil
            try configuration.write(in: claim.directory)
            for option in options.withoutEffect(on: configuration.pool) { note(option) }
            return core
        } catch {
            var failures: [String] = []
            maker.undo(making, claim.alone, &failures)
            guard !failures.isEmpty else { throw error }
            throw LayerStoreError(
                (error as? LayerStoreError)?.code ?? .failed,
                "\(error); and of what it had made, not all could be taken away: \(failures.joined(separator: "; "))",
                underlying: error)
        }
    }

    /// Takes away what another `init` has left.
    private static func takeAway(
        _ kept: StoreConfiguration, _ claim: StoreClaim,
        _ open: (StoreDirectory, StoreConfiguration) throws -> StoreCore
    ) throws {
        let core = try open(claim.directory, kept)
        var failures: [String] = []
        InitMaking(core: core).undo(kept.making ?? StoreMaking(wasPoolActive: true), claim.alone, &failures)
        guard failures.isEmpty else {
            throw LayerStoreError(
                .busy,
                "an earlier “dmlayer init” was interrupted, and what it left cannot be taken away: "
                    + failures.joined(separator: "; "))
        }
    }

    // MARK: A store that is complete

    private func change(_ kept: StoreConfiguration, _ claim: StoreClaim) throws -> StoreCore {
        var configuration = try renamingPool(kept, claim)
        try configuration.checkFixed(options)
        try checkOwner(kept)
        configuration.making = nil
        configuration.adopt(options)
        let core = try open(claim.directory, configuration)
        let features = PoolFeatures(core: core)
        try InitRequirements(core: core).checkSupport()
        if let pool = try core.pool.active() { try features.require(options, of: pool) }
        // Other operations go on meanwhile. No option is written before everything else has been done.
        claim.release()
        try completeBaseDevice(core, triesMounting: configuration.mountOptions != kept.mountOptions)
        if let size = options.baseSize, let base = try core.registry.record(of: .base), base.size != size {
            try ResizeLayer(core: core).run(.base, to: size)
        }
        let hasGrown = try ResizePool(core: core).adopt(options, note: note)
        let (before, latest) = try StoreSession.runAlone(in: core) { _, _ in try keepOptions(configuration, core) }
        do {
            try features.adopt(options)
        } catch {
            // The options of before stay, as the pool has them. The first failure is the one to report.
            try? StoreSession.runAlone(in: core) { _, _ in try takeBack(latest, before, core) }
            throw error
        }
        for option in options.withoutEffect(on: kept.pool, isComplete: true) { note(option) }
        return hasGrown ? try open(claim.directory, latest) : core
    }

    /// Makes the base device where it is missing.
    ///
    /// Layers that were taken over from another program do not descend from it. They must work, and there must be a way to
    /// remove some, also while the pool has no room for it.
    private func completeBaseDevice(_ core: StoreCore, triesMounting: Bool) throws {
        do {
            try MakeBaseDevice(core: core).complete(triesMounting: triesMounting)
        } catch let error as LayerStoreError where error.code == .notEnoughSpace {
            guard core.configuration.isAdopted, try core.registry.record(of: .base)?.isInitialized != true else {
                throw error
            }
            note("there is no base device, and until there is one, no layer without a parent can be made: \(error)")
        }
    }

    /// Writes the options that may change.
    ///
    /// - Returns: The configuration before, which is `nil` where there was no file, and now.
    private func keepOptions(
        _ configuration: StoreConfiguration, _ core: StoreCore
    ) throws -> (before: StoreConfiguration?, latest: StoreConfiguration) {
        let hasFile = try DurableDirectory(core.directory.root).read(StoreConfiguration.fileName) != nil
        // Another process, and the growth, may have changed it meanwhile.
        let before = try StoreConfiguration.read(in: core.directory, options) ?? configuration
        var latest = before
        latest.making = nil
        latest.pool.poolDevice = configuration.pool.poolDevice
        latest.pool.poolUUID = try core.pool.active().flatMap { try core.pool.lastingUUID(of: $0) }
        latest.adopt(options)
        if !hasFile || latest != before { try latest.write(in: core.directory) }
        return (hasFile ? before : nil, latest)
    }

    /// Takes back what ``keepOptions(_:_:)`` wrote, unless another `init` has written options since.
    private func takeBack(_ written: StoreConfiguration, _ before: StoreConfiguration?, _ core: StoreCore) throws {
        let root = try DurableDirectory(core.directory.root)
        guard try root.read(StoreConfiguration.fileName) != nil,
            let present = try StoreConfiguration.read(in: core.directory)
        else { return }
        // A monitor may have made the files larger since.
        var expected = written
        expected.pool.takeSizes(of: present.pool)
        guard present == expected else { return }
        guard var restored = before else {
            // A root of Docker's has no such file.
            try root.remove(StoreConfiguration.fileName)
            return try root.synchronize()
        }
        restored.pool.takeSizes(of: present.pool)
        if restored != present { try restored.write(in: core.directory) }
    }

    private func checkOwner(_ kept: StoreConfiguration) throws(LayerStoreError) {
        guard let owner, owner != kept.owner else { return }
        let made = kept.owner.map { "\($0.user):\($0.group)" } ?? "root"
        throw LayerStoreError(
            .optionsContradict,
            "the owner \(owner.user):\(owner.group) was given, but the store was made for \(made), which cannot change")
    }

    /// Takes another name for the pool of a store, if it is the same pool.
    ///
    /// The same DM uuid says so; otherwise the UUID of the base device's file system, as with Docker.
    ///
    /// - Throws: ``LayerStoreError/Code/foreignDevice`` when it is another pool.
    private func renamingPool(_ kept: StoreConfiguration, _ claim: StoreClaim) throws -> StoreConfiguration {
        guard let path = options.thinPoolDevice, kept.pool.poolDevice != nil else { return kept }
        var renamed = kept
        renamed.pool.poolDevice = path
        renamed.pool.poolUUID = nil
        let core = try open(claim.directory, renamed)
        let found = try core.pool.named?.uuidByName(core.kernel.control())
        guard path != kept.pool.poolDevice || found != kept.pool.poolUUID else { return kept }
        let active = try core.pool.active()
        let pool = try active ?? core.activatePool(claim.alone)
        do {
            renamed.pool.poolUUID = try core.pool.lastingUUID(of: pool)
            guard renamed.pool.poolUUID == nil || renamed.pool.poolUUID != kept.pool.poolUUID else { return renamed }
            var facts = try Inventory(core.registry)
            facts.addThinDevices(of: pool, core.pool)
            try BaseDeviceIdentity(core: core).require(in: pool, facts, claim.alone)
            return renamed
        } catch {
            // Another store's pool is left as it was. The first failure is the one to report.
            if active == nil { try? core.pool.deactivateVolume() }
            throw error
        }
    }
}
