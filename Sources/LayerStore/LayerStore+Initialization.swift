public import DeviceMapper
internal import Filesystems
public import SystemPackage

extension LayerStore {
    /// Makes a store, or changes the options of one that is complete.
    ///
    /// A store is complete when this has returned for the first time. Until then nothing is fixed: a call that fails takes
    /// away everything that it made, a call behind one that was killed takes away what that one made, and both leave what
    /// was there before.
    ///
    /// On a store that is complete, options which may change are kept from now on. A larger `dm.basesize` makes the base
    /// device larger, and larger loop files enlarge the pool. A call that fails changes no option; what has grown by then
    /// stays, and the same call goes on from there.
    ///
    /// - Parameters:
    ///   - root: The root; it is made if it does not exist.
    ///   - options: The options. They are kept; those that fix what a store is must be the ones that it was made with.
    ///   - owner: Who owns the directories and the root of each layer, if it is not root: the user and group that a
    ///     container's root is outside its user namespace.
    ///   - transport: How commands reach the kernel; `nil` opens the control node.
    ///   - removals: When the data of removed layers becomes free.
    ///   - note: Is told what was asked for and not done, although nothing failed.
    /// - Throws: ``LayerStoreError/Code/optionsContradict``, ``LayerStoreError/Code/invalidOption``,
    ///   ``LayerStoreError/Code/backingStore``, ``LayerStoreError/Code/notEnoughSpace``; ``LayerStoreError/Code/busy``
    ///   when other operations on the store do not end within 30 seconds.
    public static func initialize(
        _ root: FilePath, options: StorageOptions = StorageOptions(), owner: LayerOwner? = nil,
        transport: (any ControlTransport)? = nil, removals: RemovalPolicy = .inBackground,
        note: (String) -> Void = { _ in }
    ) throws(LayerStoreError) -> LayerStore {
        try attempting("make a store in \(root)") {
            let claim = try StoreClaim(root, owner: owner)
            do {
                let kept = try configuration(in: claim.directory, options)
                if let kept, try isComplete(kept, claim.directory) {
                    let open: (StoreConfiguration) throws -> LayerStore = { configuration in
                        try LayerStore(claim.directory, configuration, transport: transport, removals: removals)
                    }
                    return try change(kept, options, owner: owner, claim, open, note)
                }
                if let kept { try takeAway(kept, claim, transport) }
                return try make(options, owner: owner, claim, transport, removals, note)
            } catch {
                claim.giveBack()
                throw error
            }
        }
    }

    /// Takes away what an `init` that was killed has left: devices that are active, and files.
    ///
    /// - Parameters:
    ///   - root: The root.
    ///   - transport: How commands reach the kernel; `nil` opens the control node.
    /// - Returns: Whether there was such a store.
    /// - Throws: ``LayerStoreError/Code/busy`` while an `init` is at work, or what the kernel says.
    public static func takeAwayIncomplete(
        _ root: FilePath, transport: (any ControlTransport)? = nil
    ) throws(LayerStoreError) -> Bool {
        try attempting("take down the incomplete store in \(root)") {
            // Where there is no root, there is nothing in it.
            guard let directory = try? StoreDirectory(opening: root), try configuration(in: directory)?.making != nil
            else { return false }
            let claim = try StoreClaim(root, owner: nil)
            guard let kept = try configuration(in: claim.directory), kept.making != nil,
                try !isComplete(kept, claim.directory)
            else { return false }
            try takeAway(kept, claim, transport)
            return true
        }
    }

    /// Whether a root has what a new store would destroy: a base device that was promised to somebody, or layers.
    ///
    /// A file that cannot be understood may be about one.
    private static func isComplete(
        _ kept: StoreConfiguration, _ directory: StoreDirectory
    ) throws(LayerStoreError) -> Bool {
        try LayerMetadata(directory.metadata).records().contains { name, record in
            guard name == LayerID.base.text, case .success(let base) = record else { return true }
            return base.isInitialized && kept.making == nil
        }
    }

    private static func checkOwner(_ owner: LayerOwner?, _ configuration: StoreConfiguration) throws(LayerStoreError) {
        guard let owner, owner != configuration.owner else { return }
        let made = configuration.owner.map { "\($0.user):\($0.group)" } ?? "root"
        throw LayerStoreError(
            .optionsContradict,
            "the owner \(owner.user):\(owner.group) was given, but the store was made for \(made), which cannot change")
    }

    /// Checks that the kernel has what the options ask for.
    private func checkSupport() throws {
        let version = try control().version()
        guard configuration.deferredRemovalOption == true, version < Self.deferredRemovalVersion else { return }
        throw LayerStoreError(
            .invalidOption,
            "dm.use_deferred_removal=true needs the kernel's device mapper interface \(Self.deferredRemovalVersion), and "
                + "this is \(version); set dm.use_deferred_removal=false")
    }

    private static func defaultFilesystem() -> StorageOptions.Filesystem {
        StorageOptions.Filesystem(rawValue: FilesystemType.preferred().rawValue) ?? .ext4
    }

    private static let deferredRemovalVersion = InterfaceVersion(major: 4, minor: 27, patch: 0)

    // MARK: A new store

    private static func make(
        _ options: StorageOptions, owner: LayerOwner?, _ claim: StoreClaim, _ transport: (any ControlTransport)?,
        _ removals: RemovalPolicy, _ note: (String) -> Void
    ) throws -> LayerStore {
        var configuration = StoreConfiguration(
            new: options, defaultFilesystem: options.filesystem ?? defaultFilesystem(), owner: owner)
        let store = try LayerStore(claim.directory, configuration, transport: transport, removals: removals)
        try store.checkSupport()
        try store.requireWhatIsNeeded()
        let making = try store.planMaking()
        configuration.making = making
        let root = try DurableDirectory(claim.directory.root)
        do {
            try root.write(StoreConfiguration.fileName, try StoreJSON.encode(configuration))
            try setUpDirectLVM(
                options, zeroesNewBlocks: configuration.zeroesNewBlocks ?? false, in: claim.directory)
            try store.makeFiles()
            let pool = try store.activePoolAlone(claim.holder).pool
            try store.requireFeatures(options, of: pool)
            configuration.pool.poolUUID = try store.lastingUUID(of: pool)
            try claim.holder.lock([.base])
            try store.makeBaseDevice(in: pool, claim.holder)
            configuration.making = nil
            try root.write(StoreConfiguration.fileName, try StoreJSON.encode(configuration))
            for option in options.withoutEffect(on: configuration.pool) { note(option) }
            return store
        } catch {
            var failures: [String] = []
            store.undo(making, claim.holder, &failures)
            guard !failures.isEmpty else { throw error }
            throw LayerStoreError(
                (error as? LayerStoreError)?.code ?? .failed,
                "\(error); and of what it had made, not all could be taken away: \(failures.joined(separator: "; "))",
                underlying: error)
        }
    }

    /// Takes away what another `init` has left.
    private static func takeAway(
        _ kept: StoreConfiguration, _ claim: StoreClaim, _ transport: (any ControlTransport)?
    ) throws {
        let store = try LayerStore(claim.directory, kept, transport: transport, removals: .beforeReturning)
        var failures: [String] = []
        store.undo(kept.making ?? StoreMaking(wasPoolActive: true), claim.holder, &failures)
        guard failures.isEmpty else {
            throw LayerStoreError(
                .busy,
                "an earlier “dmlayer init” was interrupted, and what it left cannot be taken away: "
                    + failures.joined(separator: "; "))
        }
    }

    // MARK: A store that is complete

    private static func change(
        _ kept: StoreConfiguration, _ options: StorageOptions, owner: LayerOwner?, _ claim: StoreClaim,
        _ open: (StoreConfiguration) throws -> LayerStore, _ note: (String) -> Void
    ) throws -> LayerStore {
        var configuration = try renamingPool(kept, options, open: open)
        try configuration.checkFixed(options)
        try checkOwner(owner, kept)
        configuration.making = nil
        configuration.adopt(options)
        let store = try open(configuration)
        try store.checkSupport()
        if let pool = try store.activePool() { try store.requireFeatures(options, of: pool) }
        // Other operations go on meanwhile. No option is written before everything else has been done.
        try claim.holder.unlock(.store)
        try store.completeBaseDevice(triesMounting: configuration.mountOptions != kept.mountOptions)
        if let size = options.baseSize, try store.baseSize() != size { try store.resize(.base, to: size) }
        let hasGrown = try store.adoptSizes(options, note: note)
        try claim.holder.lockStore(within: StoreClaim.patience, at: claim.directory.root)
        let root = try DurableDirectory(claim.directory.root)
        let before = try root.read(StoreConfiguration.fileName)
        // Another process, and the growth, may have changed it meanwhile.
        var latest = try Self.configuration(in: claim.directory, options) ?? configuration
        latest.making = nil
        latest.pool.poolDevice = configuration.pool.poolDevice
        latest.pool.poolUUID = try store.activePool().flatMap { try store.lastingUUID(of: $0) }
        latest.adopt(options)
        let text = try StoreJSON.encode(latest)
        if before != text { try root.write(StoreConfiguration.fileName, text) }
        try claim.holder.unlock(.store)
        do {
            try store.adoptFeatures(options)
        } catch {
            // The options of before stay, as the pool has them.
            if let before, before != text { try? root.write(StoreConfiguration.fileName, before) }
            throw error
        }
        for option in options.withoutEffect(on: kept.pool, isComplete: true) { note(option) }
        return hasGrown ? try open(latest) : store
    }
}
