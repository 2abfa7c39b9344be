internal import Filesystems
internal import FoundationEssentials

/// The settings of a store: the file `store.json` in its root.
public struct StoreConfiguration: Hashable, Sendable, Codable {
    /// The name of the file.
    static let fileName = "store.json"

    /// The format of the file.
    var format: FormatNumber? = FormatNumber()
    /// Identifies the store's devices: 32 hexadecimal digits, a part of the DM uuid of each device.
    public var storeID: String
    /// The size of a block of the pool in bytes.
    public var blockSize: UInt64
    /// The size of the base device in bytes.
    public var baseSize: UInt64
    /// The file system of the base device, and so of every layer.
    public var filesystem: StorageOptions.Filesystem
    /// The source of the pool.
    public var pool: PoolSource {
        get { keptPool.value }
        set { keptPool.value = newValue }
    }
    /// The source of the pool as the file has it.
    var keptPool: WithUnknownFields<PoolSource>
    /// Additional arguments for mkfs.
    public var mkfsArguments: [String]
    /// Additional mount options.
    public var mountOptions: [String]
    /// The share of the pool in percent that must be free to make a layer.
    public var minimumFreeSpacePercent: Int
    /// Whether the data of removed layers is discarded; `nil` is the default, ``discardsRemovedLayers``.
    var discardOption: Bool?
    /// Whether the device of a layer in use is removed as soon as it is closed; `nil` is the default, ``defersRemoval``.
    var deferredRemovalOption: Bool?
    /// Whether a layer in use can be removed and is deleted later; `nil` is the default, ``defersDeletion``.
    var deferredDeletionOption: Bool?
    /// How often XFS repeats a write of metadata that failed for lack of space; `nil` is the default,
    /// ``xfsNoSpaceRetryLimit``.
    var xfsNoSpaceRetries: UInt64?
    /// The owner of the top directory of each layer's content; `nil` is root.
    public var owner: LayerOwner?
    /// Whether writes fail at once when the pool is full; with `nil` or false they wait for more space.
    public var errorIfNoSpace: Bool?
    /// The things that an unfinished `init` may have made; `nil` when the store is complete.
    var making: StoreMaking?
    /// Whether the pool fills a new block with zeros before a layer gets it; `nil` is the default, false.
    ///
    /// It takes effect when the pool is activated. A pool that is a logical volume has this setting in its volume group.
    public var zeroesNewBlocks: Bool?
    /// The least number of the store's own thin devices in a pool that another program has filled; `nil` is the default, 1.
    ///
    /// Only a store of another program's layers has one: see ``isAdopted``.
    var firstDeviceID: UInt32?
    /// Fields that a newer version may have written.
    var unknownFields = UnknownFields()

    enum CodingKeys: String, CodingKey, CaseIterable {
        case format
        case storeID = "store_id"
        case blockSize = "block_size"
        case baseSize = "base_size"
        case filesystem
        case keptPool = "pool"
        case mkfsArguments = "mkfs_arguments"
        case mountOptions = "mount_options"
        case minimumFreeSpacePercent = "min_free_space_percent"
        case discardOption = "blkdiscard"
        case deferredRemovalOption = "use_deferred_removal"
        case deferredDeletionOption = "use_deferred_deletion"
        case xfsNoSpaceRetries = "xfs_nospace_max_retries"
        case owner
        case errorIfNoSpace = "error_if_no_space"
        case making
        case zeroesNewBlocks = "zero_new_blocks"
        case firstDeviceID = "first_device_id"
    }
}

extension StoreConfiguration: KeepsUnknownFields {}

extension StoreConfiguration {
    /// Whether the data of removed layers is discarded.
    ///
    /// The default is true for a pool on a sparse file, because discards make the file smaller.
    public var discardsRemovedLayers: Bool { discardOption ?? (pool.dataFileSize != nil) }

    /// Whether a layer in use can be unmounted: it is detached, and its device is removed when nothing uses it any more.
    public var defersRemoval: Bool { deferredRemovalOption ?? true }

    /// Whether a layer in use can be removed.
    ///
    /// Its data is deleted when nothing uses it any more.
    public var defersDeletion: Bool { deferredDeletionOption ?? defersRemoval }

    /// How often XFS repeats a write of metadata that failed for lack of space.
    ///
    /// The kernel's default is to repeat it for ever. Processes on a full pool could then not be killed.
    public var xfsNoSpaceRetryLimit: UInt64 { xfsNoSpaceRetries ?? 0 }
}

extension StorageOptions.Filesystem {
    /// The same file system in the module Filesystems.
    var type: FilesystemType {
        switch self {
        case .ext4: .ext4
        case .xfs: .xfs
        }
    }
}

extension StoreConfiguration {
    /// Whether the pool, and layers in it, were taken over from another program.
    var isAdopted: Bool { firstDeviceID != nil }
}
