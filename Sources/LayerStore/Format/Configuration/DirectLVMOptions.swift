internal import FoundationEssentials
internal import LogicalVolumes
internal import SystemPackage

/// The options of direct-lvm as Docker keeps them in `setup-config.json`: as they were given, and 0 for one that was not.
public struct DirectLVMOptions: Hashable, Sendable, Codable {
    /// `dm.directlvm_device`.
    public var device: String
    /// `dm.thinp_percent`.
    public var dataPercent: Int
    /// `dm.thinp_metapercent`.
    public var metadataPercent: Int
    /// `dm.thinp_autoextend_percent`.
    public var autoextendPercent: Int
    /// `dm.thinp_autoextend_threshold`.
    public var autoextendThreshold: Int

    enum CodingKeys: String, CodingKey {
        case device = "Device"
        case dataPercent = "ThinpPercent"
        case metadataPercent = "ThinpMetaPercent"
        case autoextendPercent = "AutoExtendPercent"
        case autoextendThreshold = "AutoExtendThreshold"
    }

    static let fileName = "setup-config.json"
    /// The size of a block of a pool that direct-lvm makes, in bytes.
    static let blockSize: UInt64 = 512 << 10

    /// - Returns: `nil` when the options name no device.
    init?(_ options: StorageOptions) {
        guard let device = options.directLVMDevice else { return nil }
        self.device = device
        dataPercent = options.thinPoolPercent ?? 0
        metadataPercent = options.thinPoolMetadataPercent ?? 0
        autoextendPercent = options.autoextendPercent ?? 0
        autoextendThreshold = options.autoextendThreshold ?? 0
    }

    /// Reads the options with which the pool of a root was made.
    ///
    /// - Returns: `nil` when the root has no such file, or an empty one, which Docker takes for none.
    /// - Throws: ``LayerStoreError/Code/damagedMetadata``.
    static func kept(in directory: StoreDirectory) throws(LayerStoreError) -> DirectLVMOptions? {
        guard let content = try DurableDirectory(directory.root).read(fileName), !content.isEmpty else { return nil }
        do {
            return try StoreJSON.decode(DirectLVMOptions.self, content)
        } catch {
            throw LayerStoreError(
                .damagedMetadata,
                "\(directory.root.appending(fileName)) cannot be understood: \(StoreJSON.explain(error, content))",
                underlying: error)
        }
    }

    /// The shares of the device, with Docker's defaults for options that were not given.
    var layout: ThinPoolLayout {
        func value(_ given: Int, _ standard: Int) -> Int { given == 0 ? standard : given }
        return ThinPoolLayout(
            dataPercent: value(dataPercent, 95), metadataPercent: value(metadataPercent, 1),
            autoextend: AutoextendSettings(
                threshold: value(autoextendThreshold, 80), percent: value(autoextendPercent, 20)))
    }
}
