import Testing

@testable import LayerStore

/// Docker's storage options.
struct StorageOptionsTests {
    private func refusal(_ options: String...) -> LayerStoreError? {
        do {
            _ = try StorageOptions(parsing: options)
            return nil
        } catch {
            return error
        }
    }

    @Test func readsEveryOption() throws {
        let options = try StorageOptions(parsing: [
            "dm.basesize=20G", "dm.loopdatasize=200gb", "dm.loopmetadatasize=4GiB", "dm.fs=xfs",
            "dm.mkfsarg=-O ^has_journal", "dm.mkfsarg=-q", "dm.mountopt=nodiscard", "dm.mountopt=noatime,nodev",
            "dm.blkdiscard=false", "dm.blocksize=512K", "dm.override_udev_sync_check=T",
            "dm.use_deferred_removal=1", "dm.use_deferred_deletion=true", "dm.min_free_space=15%",
            "dm.xfs_nospace_max_retries=0", "dm.libdm_log_level=7", "dm.datadev=/dev/sdb", "dm.metadatadev=/dev/sdc",
        ])
        #expect(options.baseSize == 20 << 30)
        #expect(options.loopDataSize == 200 << 30)
        #expect(options.loopMetadataSize == 4 << 30)
        #expect(options.filesystem == .xfs)
        #expect(options.mkfsArguments == ["-O ^has_journal", "-q"])
        #expect(options.mountOptions == ["nodiscard", "noatime,nodev"])
        #expect(options.discardsRemovedLayers == false)
        #expect(options.blockSize == 512 << 10)
        #expect(options.overridesUdevSyncCheck == true)
        #expect(options.usesDeferredRemoval == true)
        #expect(options.usesDeferredDeletion == true)
        #expect(options.minimumFreeSpacePercent == 15)
        #expect(options.xfsNoSpaceRetries == 0)
        #expect(options.libdmLogLevel == 7)
        #expect(options.dataDevice == "/dev/sdb")
        #expect(options.metadataDevice == "/dev/sdc")
        #expect(try StorageOptions(parsing: ["dm.thinpooldev=/dev/mapper/p"]).thinPoolDevice == "/dev/mapper/p")
        let direct = try StorageOptions(parsing: [
            "dm.directlvm_device=/dev/xvdf", "dm.directlvm_device_force=true", "dm.thinp_percent=95",
            "dm.thinp_metapercent=1%", "dm.thinp_autoextend_threshold=100%", "dm.thinp_autoextend_percent=20",
        ])
        #expect(direct.directLVMDevice == "/dev/xvdf")
        #expect(direct.forcesDirectLVMDevice == true)
        #expect(direct.thinPoolPercent == 95)
        #expect(direct.thinPoolMetadataPercent == 1)
        #expect(direct.autoextendThreshold == 100)
        #expect(direct.autoextendPercent == 20)
    }

    @Test func takesTheLastValueAndTrims() throws {
        let options = try StorageOptions(parsing: ["dm.fs=xfs", " DM.FS = ext4 ", "dm.mkfsarg=-E=a=b"])
        #expect(options.filesystem == .ext4)
        #expect(options.mkfsArguments == ["-E=a=b"])
        #expect(try StorageOptions(parsing: []) == StorageOptions())
    }

    @Test(arguments: ["1", "t", "T", "TRUE", "true", "True"]) func readsTrue(text: String) throws {
        #expect(try StorageOptions(parsing: ["dm.blkdiscard=\(text)"]).discardsRemovedLayers == true)
    }

    @Test(arguments: ["0", "f", "F", "FALSE", "false", "False"]) func readsFalse(text: String) throws {
        #expect(try StorageOptions(parsing: ["dm.blkdiscard=\(text)"]).discardsRemovedLayers == false)
    }

    /// The error names the option, the value and what is allowed.
    @Test(arguments: [
        ("dm.basesize", "0", "size"), ("dm.basesize", "-1g", "size"), ("dm.basesize", "10x", "size"),
        ("dm.basesize", "", "size"), ("dm.loopdatasize", "1 000", "size"), ("dm.loopdatasize", "9000p", "size"),
        ("dm.loopmetadatasize", "two", "size"), ("dm.fs", "btrfs", "ext4 or xfs"), ("dm.fs", "EXT4", "ext4 or xfs"),
        ("dm.mkfsarg", "", "empty"), ("dm.mountopt", "", "empty"),
        ("dm.datadev", "/dev/a\u{0}b", "invisible character U+0000"), ("dm.metadatadev", "", "empty"),
        ("dm.datadev", "", "empty"), ("dm.thinpooldev", "", "empty"), ("dm.directlvm_device", "", "empty"),
        ("dm.blkdiscard", "yes", "true or false"), ("dm.override_udev_sync_check", "tRUE", "true or false"),
        ("dm.use_deferred_removal", "2", "true or false"), ("dm.use_deferred_deletion", "", "true or false"),
        ("dm.directlvm_device_force", "on", "true or false"), ("dm.blocksize", "32k", "64k"),
        ("dm.blocksize", "96k", "64k"), ("dm.blocksize", "2g", "64k"), ("dm.min_free_space", "10", "%"),
        ("dm.min_free_space", "100%", "0 to 99"), ("dm.min_free_space", "-1%", "0 to 99"),
        ("dm.min_free_space", "%", "0 to 99"), ("dm.min_free_space", "1.5%", "0 to 99"),
        ("dm.xfs_nospace_max_retries", "-1", "whole number"), ("dm.xfs_nospace_max_retries", "1.5", "whole number"),
        ("dm.error_if_no_space", "maybe", "true or false"), ("dm.zero_new_blocks", "maybe", "true or false"),
        ("dm.libdm_log_level", "1", "2 to 7"),
        ("dm.libdm_log_level", "8", "2 to 7"), ("dm.libdm_log_level", "debug", "2 to 7"),
        ("dm.xfs_nospace_max_retries", "18446744073709551616", "whole number"), ("dm.thinp_percent", "-1", "0 to 99"),
        ("dm.thinp_percent", "100", "0 to 99"), ("dm.thinp_metapercent", "100%", "0 to 99"),
        ("dm.thinp_autoextend_threshold", "101", "0 to 100"), ("dm.thinp_autoextend_percent", "many", "0 to 100"),
    ]) func refusesWrongValues(key: String, value: String, allowed: String) throws {
        let error = try #require(refusal("\(key)=\(value)"))
        #expect(error.code == .invalidOption)
        #expect(error.description.contains("\(key)=\(value)"))
        #expect(error.description.contains(allowed))
    }

    @Test func refusesWhatIsNoOption() throws {
        #expect(try #require(refusal("dm.basesize")).description.contains("“dm.basesize” is not of the form key=value"))
        #expect(try #require(refusal("dm.bassize=10g")).description.contains("“dm.bassize”"))
        #expect(refusal("=")?.code == .invalidOption)
    }

    @Test(arguments: [
        ["dm.use_deferred_deletion=true", "dm.use_deferred_removal=false"],
        ["dm.thinpooldev=p", "dm.directlvm_device=/dev/sdb"], ["dm.thinpooldev=p", "dm.datadev=/dev/sdb"],
        ["dm.thinpooldev=p", "dm.metadatadev=/dev/sdb"], ["dm.thinp_percent=95", "dm.thinp_metapercent=1"],
        ["dm.thinp_autoextend_percent=20"], ["dm.directlvm_device=/dev/sdb", "dm.thinp_percent=95"],
        ["dm.directlvm_device=/dev/sdb", "dm.thinp_metapercent=1"],
        ["dm.directlvm_device=/dev/sdb", "dm.thinp_percent=95", "dm.thinp_metapercent=6"],
    ]) func refusesWhatDoesNotGoTogether(options: [String]) {
        #expect {
            try StorageOptions(parsing: options)
        } throws: { error in
            guard let error = error as? LayerStoreError, error.code == .invalidOption else { return false }
            return error.description.contains("dm.")
        }
    }

    @Test func completesAndComparesWithWhatWasKept() throws {
        let kept = StoreConfiguration(new: StorageOptions(), defaultFilesystem: .xfs)
        #expect(kept.baseSize == 10 << 30)
        #expect(kept.pool.dataFileSize == 100 << 30)
        #expect(kept.pool.metadataFileSize == 2 << 30)
        #expect(kept.blockSize == 64 << 10)
        #expect(kept.minimumFreeSpacePercent == 10)
        #expect(kept.filesystem == .xfs)
        try kept.check()
        try kept.check(StorageOptions(parsing: ["dm.blocksize=64k", "dm.fs=xfs"]))
        #expect {
            try kept.check(StorageOptions(parsing: ["dm.blocksize=128k"]))
        } throws: {
            ($0 as? LayerStoreError)?.code == .optionsContradict && "\($0)".contains("dm.blocksize=131072")
                && "\($0)".contains("dm.blocksize=65536")
        }
        // Docker's rule: the files grow at init, and elsewhere these sizes mean nothing.
        try kept.check(StorageOptions(parsing: ["dm.loopdatasize=1g", "dm.loopmetadatasize=4g"]))
        try kept.check(StorageOptions(parsing: ["dm.error_if_no_space=false"]))
        #expect {
            try kept.check(StorageOptions(parsing: ["dm.error_if_no_space=true"]))
        } throws: {
            ($0 as? LayerStoreError)?.code == .optionsContradict && "\($0)".contains("“dmlayer init” changes it")
        }
        var edited = kept
        edited.minimumFreeSpacePercent = 100
        #expect(throws: LayerStoreError.self) { try edited.check() }
        edited = kept
        edited.storeID = "../../etc"
        #expect(throws: LayerStoreError.self) { try edited.check() }
    }

    /// The next command can open every configuration that `init` keeps.
    @Test func keepsNothingThatContradictsItself() throws {
        let values: [Bool?] = [nil, true, false]
        let combinations = try values.flatMap { removal in
            try values.compactMap { deletion -> StorageOptions? in
                let texts = [
                    removal.map { "dm.use_deferred_removal=\($0)" }, deletion.map { "dm.use_deferred_deletion=\($0)" },
                ]
                if removal == false, deletion == true { return nil }
                return try StorageOptions(parsing: texts.compactMap(\.self))
            }
        }
        var refused = 0
        for made in combinations {
            for given in combinations {
                var configuration = StoreConfiguration(new: made, defaultFilesystem: .ext4)
                do {
                    try configuration.check(given)
                } catch {
                    #expect(error.code == .optionsContradict)
                    #expect("\(error)".contains("dm.use_deferred_removal=false"))
                    #expect("\(error)".contains("dm.use_deferred_deletion=true"))
                    refused += 1
                    continue
                }
                configuration.adopt(given)
                try configuration.check()
            }
        }
        // Deletion alone where removals are not deferred, and the other way round.
        #expect(refused == 4)
    }

    @Test(
        arguments: [
            ("dm.basesise", "did you mean “dm.basesize”?"), ("dm.base-size", "did you mean “dm.basesize”?"),
            ("dm.thinpool_dev", "did you mean “dm.thinpooldev”?"), ("dm.mountopts", "did you mean “dm.mountopt”?"),
            ("basesize", nil), ("overlay2.size", nil), ("dm.basesize\u{200b}", "an invisible character U+200B"),
        ] as [(String, String?)]) func namesTheOptionThatWasMeant(key: String, message: String?)
    {
        #expect { _ = try StorageOptions(parsing: ["\(key)=1g"]) } throws: { error in
            "\(error)".contains("there is no storage option")
                && message.map { "\(error)".contains($0) } ?? !"\(error)".contains("did you mean")
        }
    }

    @Test func namesAnInvisibleCharacterInAValue() {
        #expect { _ = try StorageOptions(parsing: ["dm.basesize=10\u{a0}g"]) } throws: {
            "\($0)".contains("it has an invisible character U+00A0")
        }
    }

    /// Docker's own messages advised this one once.
    @Test func takesOptionsThatHaveLostTheirMeaning() throws {
        let options = try StorageOptions(parsing: ["dm.no_warn_on_loop_devices=true", "dm.override_udev_sync_check=1"])
        #expect(
            options.withoutEffect == ["dm.override_udev_sync_check=true", "dm.no_warn_on_loop_devices=true"])
    }

    /// No option is accepted in silence that says nothing about the pool.
    @Test func namesOptionsThatSayNothingAboutThePool() throws {
        func named(_ texts: [String], isComplete: Bool = false) throws -> [String] {
            let options = try StorageOptions(parsing: texts)
            return options.withoutEffect(on: PoolSource(options), isComplete: isComplete)
                .map { String($0.prefix { $0 != "=" }) }
        }
        let sizes = ["dm.loopdatasize=1g", "dm.loopmetadatasize=16m"]
        let all = sizes + ["dm.blocksize=128k", "dm.directlvm_device_force=true"]
        #expect(try named(all) == ["dm.directlvm_device_force"])
        #expect(try named(sizes + ["dm.datadev=/dev/a"]) == ["dm.loopdatasize"])
        #expect(try named(sizes + ["dm.metadatadev=/dev/a"]) == ["dm.loopmetadatasize"])
        #expect(
            try named(all + ["dm.thinpooldev=a"]) == [
                "dm.loopdatasize", "dm.loopmetadatasize", "dm.blocksize", "dm.directlvm_device_force",
            ])
        #expect(
            try named(all + ["dm.directlvm_device=/dev/a"]) == [
                "dm.loopdatasize", "dm.loopmetadatasize", "dm.blocksize",
            ])
        #expect(try named(["dm.mkfsarg=-m0"]) == [])
        #expect(try named(["dm.mkfsarg=-m0"], isComplete: true) == ["dm.mkfsarg"])
    }

    @Test func zeroesNewBlocksWhereTheServiceMakesThePool() throws {
        func zeroes(_ options: [String], byDefault: Bool) throws -> Bool? {
            var parsed = try StorageOptions(parsing: options)
            parsed.zeroesNewBlocksByDefault = byDefault
            return StoreConfiguration(new: parsed, defaultFilesystem: .ext4).zeroesNewBlocks
        }
        for options in [[], ["dm.datadev=/dev/a", "dm.metadatadev=/dev/b"], ["dm.directlvm_device=/dev/a"]] {
            #expect(try zeroes(options, byDefault: false) == nil)
            #expect(try zeroes(options, byDefault: true) == true)
            #expect(try zeroes(options + ["dm.zero_new_blocks=false"], byDefault: true) == false)
            #expect(try zeroes(options + ["dm.zero_new_blocks=true"], byDefault: false) == true)
        }
        // The zeroing of a pool that somebody else made is not kept.
        #expect(try zeroes(["dm.thinpooldev=a-b", "dm.zero_new_blocks=true"], byDefault: true) == nil)
    }

    @Test func directLVMDoesNotTakeWhatOnlyItsGroupSays() throws {
        #expect(throws: LayerStoreError.self) {
            try StorageOptions(parsing: ["dm.directlvm_device=/dev/a", "dm.error_if_no_space=true"])
        }
    }
}
