internal import ThinProvisioning

extension StoreConfiguration {
    /// Checks the content of `store.json`, which somebody may have edited.
    ///
    /// All other code relies on these limits.
    ///
    /// - Throws: ``LayerStoreError/Code/damagedMetadata`` with the field and the values that it can have.
    func check() throws(LayerStoreError) {
        guard storeID.utf8.count == 32, storeID.utf8.allSatisfy(Self.isHexDigit) else {
            throw Self.refusal("store_id", "32 hexadecimal digits")
        }
        guard (64 << 10...1 << 30).contains(blockSize), blockSize % (64 << 10) == 0 else {
            throw Self.refusal("block_size", "from 65536 to 1073741824, and a multiple of 65536")
        }
        guard Self.sizes.contains(baseSize), baseSize % 512 == 0 else {
            throw Self.refusal("base_size", "from 512 to 9223372036854775296, and a multiple of 512")
        }
        guard (0...99).contains(minimumFreeSpacePercent) else {
            throw Self.refusal("min_free_space_percent", "a number from 0 to 99")
        }
        guard !defersDeletion || defersRemoval else {
            throw Self.refusal("use_deferred_deletion", "false where “use_deferred_removal” is false")
        }
        guard owner?.user != .max, owner?.group != .max else {
            throw Self.refusal("owner", "two numbers below 4294967295")
        }
        guard firstDeviceID.map({ ThinDeviceID($0) != nil }) ?? true else {
            throw Self.refusal("first_device_id", "a number from 0 to \(ThinDeviceID.maximum)")
        }
        guard (mkfsArguments + mountOptions).allSatisfy(Self.isText) else {
            throw Self.refusal("mkfs_arguments” and “mount_options", "texts without a null character")
        }
        try checkPool()
        try checkMaking()
    }

    private func checkPool() throws(LayerStoreError) {
        let texts = [pool.poolDevice, pool.poolUUID, pool.dataDevice, pool.metadataDevice, pool.directLVM?.device]
        guard texts.allSatisfy({ $0.map(Self.isText) ?? true }) else {
            throw Self.refusal("pool", "an object whose texts are not empty and have no null character")
        }
        for (field, size) in [
            ("pool.data_file_size", pool.dataFileSize), ("pool.metadata_file_size", pool.metadataFileSize),
        ] {
            guard size.map(Self.sizes.contains) ?? true else {
                throw Self.refusal(field, "from 512 to 9223372036854775807")
            }
        }
        guard pool.poolDevice == nil else { return }
        guard (pool.dataDevice == nil) != (pool.dataFileSize == nil),
            (pool.metadataDevice == nil) != (pool.metadataFileSize == nil)
        else {
            throw Self.refusal(
                "pool",
                "an object with “pool_device”, or with one of “data_device” and “data_file_size” and one of "
                    + "“metadata_device” and “metadata_file_size”")
        }
    }

    /// Checks that undoing an unfinished `init` takes away files and devices of this store only.
    private func checkMaking() throws(LayerStoreError) {
        guard let making else { return }
        guard making.files.allSatisfy(["data", "metadata"].contains) else {
            throw Self.refusal("making.files", "a list of “data” and “metadata”")
        }
        guard making.devices.allSatisfy([pool.dataDevice, pool.metadataDevice].contains) else {
            throw Self.refusal("making.devices", "a list of the pool's “data_device” and “metadata_device”")
        }
    }

    /// The sizes that a device can have in bytes.
    private static let sizes: ClosedRange<UInt64> = 512...UInt64(Int64.max)

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }

    /// Whether the kernel and other programs receive all of a text.
    private static func isText(_ text: String) -> Bool { !text.isEmpty && !text.utf8.contains(0) }

    private static func refusal(_ field: String, _ allowed: String) -> LayerStoreError {
        LayerStoreError(.damagedMetadata, "“\(field)” in \(fileName) must be \(allowed)")
    }
}
