internal import Filesystems
internal import FoundationEssentials

/// What `init` fixes for the life of a store, kept in `store.json` in its root.
public struct StoreConfiguration: Hashable, Sendable, Codable {
    /// The name of the file.
    static let fileName = "store.json"

    /// Tells this store's devices from all others: 32 hexadecimal digits, a part of each one's DM uuid.
    public var storeID: String
    /// The size of a block of the pool in bytes.
    public var blockSize: UInt64
    /// The size of the base device in bytes.
    public var baseSize: UInt64
    /// The file system of the base device, and so of every layer.
    public var filesystem: StorageOptions.Filesystem
    /// What the pool is made of.
    public var pool: PoolSource
    /// Further arguments for mkfs.
    public var mkfsArguments: [String]
    /// Further mount options.
    public var mountOptions: [String]
    /// The share of the pool in percent that must be free to make a layer.
    public var minimumFreeSpacePercent: Int

    enum CodingKeys: String, CodingKey {
        case storeID = "store_id"
        case blockSize = "block_size"
        case baseSize = "base_size"
        case filesystem
        case pool
        case mkfsArguments = "mkfs_arguments"
        case mountOptions = "mount_options"
        case minimumFreeSpacePercent = "min_free_space_percent"
    }

    /// Completes `options` with Docker's defaults for a new store.
    ///
    /// - Parameter filesystem: What to take when the options name no file system.
    init(new options: StorageOptions, defaultFilesystem filesystem: StorageOptions.Filesystem) {
        storeID = (0..<4).map { _ in
            let digits = String(UInt32.random(in: .min ... .max), radix: 16)
            return String(repeating: "0", count: 8 - digits.count) + digits
        }.joined()
        blockSize = options.blockSize ?? 64 << 10
        baseSize = options.baseSize ?? 10 << 30
        self.filesystem = options.filesystem ?? filesystem
        pool = PoolSource(options)
        mkfsArguments = options.mkfsArguments
        mountOptions = options.mountOptions
        minimumFreeSpacePercent = options.minimumFreeSpacePercent ?? 10
    }

    /// Checks what somebody may have edited by hand.
    ///
    /// - Throws: ``LayerStoreError/Code/damagedMetadata``.
    func check() throws(LayerStoreError) {
        func refuse(_ field: CodingKeys, _ allowed: String) -> LayerStoreError {
            LayerStoreError(.damagedMetadata, "“\(field.stringValue)” in \(Self.fileName) must be \(allowed)")
        }
        guard storeID.utf8.count == 32, storeID.allSatisfy(\.isHexDigit) else {
            throw refuse(.storeID, "32 hexadecimal digits")
        }
        guard (0...99).contains(minimumFreeSpacePercent) else {
            throw refuse(.minimumFreeSpacePercent, "a number from 0 to 99")
        }
    }

    /// Checks that `options` do not contradict what the store was made with.
    ///
    /// - Throws: ``LayerStoreError/Code/optionsContradict`` with both values.
    func check(_ options: StorageOptions) throws(LayerStoreError) {
        func compare<Value: Equatable>(_ key: String, _ given: Value?, _ kept: Value?) throws(LayerStoreError) {
            guard let given, given != kept else { return }
            let made = kept.map { "with \(key)=\($0)" } ?? "without it"
            throw LayerStoreError(
                .optionsContradict,
                "\(key)=\(given) was given, but the store was made \(made), which cannot change")
        }
        try compare("dm.blocksize", options.blockSize, blockSize)
        try compare("dm.basesize", options.baseSize, baseSize)
        try compare("dm.fs", options.filesystem?.rawValue, filesystem.rawValue)
        try compare("dm.thinpooldev", options.thinPoolDevice, pool.poolDevice)
        try compare("dm.datadev", options.dataDevice, pool.dataDevice)
        try compare("dm.metadatadev", options.metadataDevice, pool.metadataDevice)
        try compare("dm.loopdatasize", options.loopDataSize, pool.dataFileSize)
        try compare("dm.loopmetadatasize", options.loopMetadataSize, pool.metadataFileSize)
    }
}

extension StorageOptions.Filesystem {
    /// The same file system to the floor below.
    var type: FilesystemType {
        switch self {
        case .ext4: .ext4
        case .xfs: .xfs
        }
    }
}
