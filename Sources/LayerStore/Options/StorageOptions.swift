/// The values of the storage options `dm.…=…` that a user gave.
///
/// They are the options of Docker's devicemapper driver and two more. `nil` means that the option was not given;
/// ``StoreConfiguration`` has the defaults. Each option is one row of the table `StorageOption.all`.
public struct StorageOptions: Hashable, Sendable {
    /// A file system that a store can put on its base device.
    public enum Filesystem: String, Hashable, Sendable, Codable, CaseIterable {
        case ext4
        case xfs
    }

    /// `dm.basesize`: the size of the base device in bytes.
    public var baseSize: UInt64?
    /// `dm.loopdatasize`: the size of the data file in bytes.
    public var loopDataSize: UInt64?
    /// `dm.loopmetadatasize`: the size of the metadata file in bytes.
    public var loopMetadataSize: UInt64?
    /// `dm.fs`: the file system of the base device.
    public var filesystem: Filesystem?
    /// `dm.mkfsarg`: additional arguments for mkfs.
    public var mkfsArguments: [String] = []
    /// `dm.mountopt`: additional mount options.
    public var mountOptions: [String] = []
    /// `dm.metadatadev`: the block device of the pool's metadata.
    public var metadataDevice: String?
    /// `dm.datadev`: the block device of the pool's data.
    public var dataDevice: String?
    /// `dm.thinpooldev`: the device of a pool that already exists.
    public var thinPoolDevice: String?
    /// `dm.blkdiscard`: whether the data of a removed layer is discarded.
    public var discardsRemovedLayers: Bool?
    /// `dm.blocksize`: the size of a block of the pool in bytes.
    public var blockSize: UInt64?
    /// `dm.override_udev_sync_check`: has no effect, because nothing here waits for udev.
    public var overridesUdevSyncCheck: Bool?
    /// `dm.use_deferred_removal`: whether a device in use is removed as soon as it is closed.
    public var usesDeferredRemoval: Bool?
    /// `dm.use_deferred_deletion`: whether a layer in use can be removed, and is deleted when it is no longer used.
    public var usesDeferredDeletion: Bool?
    /// `dm.min_free_space`: the share of the pool in percent that must be free to make a layer.
    public var minimumFreeSpacePercent: Int?
    /// `dm.xfs_nospace_max_retries`: how often XFS repeats a write of metadata that failed for lack of space.
    public var xfsNoSpaceRetries: UInt64?
    /// `dm.error_if_no_space`: whether writes fail at once when the pool is full, instead of waiting for more space.
    ///
    /// Docker has no such option. Its pools wait.
    public var errorIfNoSpace: Bool?
    /// `dm.no_warn_on_loop_devices`: has no effect, because nothing warns of loop devices.
    public var hidesLoopDeviceWarning: Bool?
    /// `dm.zero_new_blocks`: whether the pool fills a new block with zeros before a layer gets it.
    ///
    /// Docker has no such option. Its pools do not.
    public var zeroesNewBlocks: Bool?
    /// The value of ``zeroesNewBlocks`` for a pool that is made now, when that option is not given.
    ///
    /// A user cannot give this option. The service sets it, because virtual machines read its layers as whole devices.
    public var zeroesNewBlocksByDefault = false
    /// `dm.libdm_log_level`: has no effect, because there is no libdm.
    public var libdmLogLevel: Int?
    /// `dm.directlvm_device`: the block device on which a volume group and a pool are made.
    public var directLVMDevice: String?
    /// `dm.directlvm_device_force`: whether a device that holds data is overwritten.
    public var forcesDirectLVMDevice: Bool?
    /// `dm.thinp_percent`: the share of the volume group for data.
    public var thinPoolPercent: Int?
    /// `dm.thinp_metapercent`: the share of the volume group for metadata.
    public var thinPoolMetadataPercent: Int?
    /// `dm.thinp_autoextend_threshold`: the use in percent at which the pool is extended.
    public var autoextendThreshold: Int?
    /// `dm.thinp_autoextend_percent`: by how much of its size the pool is extended.
    public var autoextendPercent: Int?

    /// No options.
    public init() {}
}
