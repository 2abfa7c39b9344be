extension StorageOptions {
    /// Reads options in the form `key=value`, in order: a later one replaces an earlier one, except `dm.mkfsarg` and
    /// `dm.mountopt`, which add up.
    ///
    /// - Throws: ``LayerStoreError/Code/invalidOption`` with the option, its value and what is allowed.
    public init(parsing options: [String]) throws(LayerStoreError) {
        self.init()
        for option in options {
            guard let separator = option.firstIndex(of: "=") else {
                throw LayerStoreError(.invalidOption, "storage option “\(option)” is not of the form key=value")
            }
            let key = Self.trimmed(option[..<separator]).lowercased()
            guard let row = StorageOption.named(key) else { throw Self.unknown(key) }
            let text = Self.trimmed(option[option.index(after: separator)...])
            try row.take(OptionValue(key: key, text: text), &self)
        }
        try checkTogether()
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text.drop { $0.isWhitespace }
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }

    private static func unknown(_ key: String) -> LayerStoreError {
        let meant = Spelling.nearest(to: key, among: StorageOption.all.map(\.key))
        let question = meant.map { "; did you mean “\($0)”?" } ?? ""
        let hidden = InvisibleCharacter.first(in: key).map { "; it has \($0)" } ?? ""
        return LayerStoreError(.invalidOption, "there is no storage option “\(key)”\(hidden)\(question)")
    }

    // MARK: Without effect

    /// The options that were given although they have no effect on any store, as `key=value`.
    public var withoutEffect: [String] {
        StorageOption.all.flatMap { row in
            guard case .ignored = row.place else { return [String]() }
            return row.given(self).map { "\(row.key)=\($0)" }
        }
    }

    /// The options that were given although they have no effect on a store with a certain pool, each in a sentence.
    ///
    /// - Parameters:
    ///   - pool: The source of the pool.
    ///   - isComplete: Whether the base device already exists.
    func withoutEffect(on pool: PoolSource, isComplete: Bool = false) -> [String] {
        StorageOption.all.flatMap { row -> [String] in
            guard let reason = row.reasonWithoutEffect(pool, isComplete) else { return [] }
            return row.given(self).map { "\(row.key)=\($0) has no effect: \(reason)" }
        }
    }

    // MARK: Options together

    private func checkTogether() throws(LayerStoreError) {
        if usesDeferredDeletion == true, usesDeferredRemoval == false {
            throw LayerStoreError(
                .invalidOption,
                "dm.use_deferred_deletion=true needs deferred removal; set dm.use_deferred_removal=true as well")
        }
        try checkPoolSource()
        try checkDirectLVM()
    }

    private func checkPoolSource() throws(LayerStoreError) {
        guard let thinPoolDevice else { return }
        if directLVMDevice != nil {
            throw LayerStoreError(
                .invalidOption, "dm.directlvm_device makes a pool and dm.thinpooldev names one; give only one of them")
        }
        if dataDevice != nil || metadataDevice != nil {
            throw LayerStoreError(
                .invalidOption,
                "dm.thinpooldev=\(thinPoolDevice) names a pool that exists, and dm.datadev and dm.metadatadev name the "
                    + "devices to make one of; give one or the other")
        }
    }

    private func checkDirectLVM() throws(LayerStoreError) {
        let percentages = [thinPoolPercent, thinPoolMetadataPercent, autoextendThreshold, autoextendPercent]
        if directLVMDevice == nil {
            guard percentages.allSatisfy({ $0 == nil }) else {
                throw LayerStoreError(
                    .invalidOption,
                    "the dm.thinp_… options are about direct-lvm; name its device in dm.directlvm_device")
            }
            return
        }
        guard errorIfNoSpace != true else {
            throw LayerStoreError(
                .invalidOption,
                "dm.error_if_no_space=true cannot be given for a pool of direct-lvm, whose volume group has this setting: "
                    + "leave the option out, and then run “lvchange --errorwhenfull y docker/thinpool”")
        }
        let data = thinPoolPercent ?? 0
        let metadata = thinPoolMetadataPercent ?? 0
        guard (data == 0) == (metadata == 0) else {
            throw LayerStoreError(.invalidOption, "set both dm.thinp_percent and dm.thinp_metapercent, or neither")
        }
        guard data + metadata <= 100 else {
            throw LayerStoreError(
                .invalidOption,
                "dm.thinp_percent=\(data) and dm.thinp_metapercent=\(metadata) are more than 100 together")
        }
    }
}
