/// Copies a read-only device to another one while that is used already: the kernel's `dm-clone.rst`.
public struct CloneTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "clone"

    /// The device that says which regions are copied.
    public var metadataDevice: TargetDevice
    /// The device that is copied to.
    public var destinationDevice: TargetDevice
    /// The device that is copied from.
    public var sourceDevice: TargetDevice
    /// The length of a region: a power of two of 8 to 2,097,152 sectors.
    public var region: Sectors
    /// Words such as `no_hydration`.
    public var features: [String]
    /// Keys and values such as `hydration_threshold` and its number; they need the number of the features before them.
    public var coreArguments: [String]

    /// Makes a target.
    public init(
        metadataDevice: TargetDevice, destinationDevice: TargetDevice, sourceDevice: TargetDevice, region: Sectors,
        features: [String] = [], coreArguments: [String] = []
    ) {
        self.metadataDevice = metadataDevice
        self.destinationDevice = destinationDevice
        self.sourceDevice = sourceDevice
        self.region = region
        self.features = features
        self.coreArguments = coreArguments
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let metadata = words.device(), let destination = words.device(), let source = words.device(),
            let region = words.sectors(), let features = words.countedWords(), let arguments = words.countedWords()
        else { return nil }
        self.init(
            metadataDevice: metadata, destinationDevice: destination, sourceDevice: source, region: region,
            features: features, coreArguments: arguments)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        var text = "\(metadataDevice) \(destinationDevice) \(sourceDevice) \(region)"
        if !features.isEmpty || !coreArguments.isEmpty { text += " " + TargetWords.counted(features) }
        if !coreArguments.isEmpty { text += " " + TargetWords.counted(coreArguments) }
        return text
    }
}

/// Keeps, for each block, in which era it was written last: the kernel's `era.rst`.
public struct EraTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "era"

    /// The device that keeps the eras.
    public var metadataDevice: TargetDevice
    /// The device below.
    public var originDevice: TargetDevice
    /// The length of a block.
    public var blockSize: Sectors

    /// Makes a target.
    public init(metadataDevice: TargetDevice, originDevice: TargetDevice, blockSize: Sectors) {
        self.metadataDevice = metadataDevice
        self.originDevice = originDevice
        self.blockSize = blockSize
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let metadata = words.device(), let origin = words.device(), let blockSize = words.sectors() else {
            return nil
        }
        self.init(metadataDevice: metadata, originDevice: origin, blockSize: blockSize)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String { "\(metadataDevice) \(originDevice) \(blockSize)" }
}
