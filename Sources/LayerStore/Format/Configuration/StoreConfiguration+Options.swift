extension StoreConfiguration {
    /// Completes `options` with the defaults for a new store.
    ///
    /// - Parameters:
    ///   - options: The options.
    ///   - filesystem: The file system if the options name none.
    ///   - owner: The owner of the layers' content, if it is not root.
    init(
        new options: StorageOptions, defaultFilesystem filesystem: StorageOptions.Filesystem, owner: LayerOwner? = nil
    ) {
        let pool = PoolSource(options)
        self.init(
            storeID: Self.newStoreID(), blockSize: options.blockSize ?? 64 << 10,
            baseSize: options.baseSize ?? 10 << 30, filesystem: options.filesystem ?? filesystem,
            keptPool: WithUnknownFields(pool),
            mkfsArguments: options.mkfsArguments, mountOptions: [], minimumFreeSpacePercent: 10, owner: owner,
            zeroesNewBlocks: options.zeroesNewBlocksByDefault && !pool.isMadeElsewhere ? true : nil)
        adopt(options)
    }

    private static func newStoreID() -> String {
        (0..<4).map { _ in
            let digits = String(UInt32.random(in: .min ... .max), radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined()
    }

    /// Adopts the options that can change during the life of a store.
    mutating func adopt(_ options: StorageOptions) {
        for row in StorageOption.all {
            switch row.place {
            case .kept(let adopt), .keptByInitOnly(let adopt, _): adopt(options, &self)
            case .fixed, .fixedWithDirectLVM, .growing, .used, .ignored: break
            }
        }
    }

    /// Checks that `options` contradict neither the options that are fixed nor those that only `init` changes.
    ///
    /// - Throws: ``LayerStoreError/Code/optionsContradict`` with both values.
    func check(_ options: StorageOptions) throws(LayerStoreError) {
        try checkFixed(options)
        for row in StorageOption.all {
            // Where the store does not keep the setting, `init` compares the option with the pool itself.
            guard case .keptByInitOnly(_, let value) = row.place, let kept = value(self),
                let given = row.given(options).last, given != kept
            else { continue }
            throw LayerStoreError(
                .optionsContradict,
                "\(row.key)=\(given) was given, and the store is kept with \(kept); “dmlayer init” changes it")
        }
    }

    /// Checks that `options` do not contradict the options that are fixed.
    ///
    /// The sizes of the pool's files are not fixed: `init` makes the files larger, and every other command ignores these
    /// options.
    ///
    /// - Throws: ``LayerStoreError/Code/optionsContradict`` with both values.
    func checkFixed(_ options: StorageOptions) throws(LayerStoreError) {
        try checkDeferral(options)
        for row in StorageOption.all {
            guard case .fixed(let value, let advice) = row.place, let given = row.given(options).last else { continue }
            let kept = value(self)
            guard given != kept else { continue }
            guard let kept, let advice else {
                let made = kept.map { "with \(row.key)=\($0)" } ?? "without it"
                throw LayerStoreError(
                    .optionsContradict,
                    "\(row.key)=\(given) was given, but the store was made \(made), which cannot change")
            }
            throw LayerStoreError(
                .optionsContradict, "\(row.key)=\(given) was given, and the store is kept with \(kept); \(advice)")
        }
        if let given = DirectLVMOptions(options), given != pool.directLVM {
            throw LayerStoreError(
                .optionsContradict,
                "the dm.thinp_… options differ from those that the pool was made with; they cannot change")
        }
    }

    /// Checks that deletions are deferred only where removals are.
    private func checkDeferral(_ options: StorageOptions) throws(LayerStoreError) {
        let removal = options.usesDeferredRemoval ?? defersRemoval
        let deletion = options.usesDeferredDeletion ?? deferredDeletionOption ?? removal
        guard !removal, deletion else { return }
        let (given, kept) =
            options.usesDeferredRemoval == nil
            ? ("dm.use_deferred_deletion=true", "dm.use_deferred_removal=false")
            : ("dm.use_deferred_removal=false", "dm.use_deferred_deletion=true")
        throw LayerStoreError(
            .optionsContradict,
            "\(given) was given, but the store was made with \(kept), and deletions cannot be deferred unless removals are; "
                + "give both options")
    }
}
