/// Where the tree does not keep a rule yet, and the names of other projects.
///
/// The lists only get shorter.
enum Exceptions {
    static let longFiles: Set<String> = [
        "Tests/KernelTests/Recovery/StoreCheckTests.swift"
    ]
    static let longFunctions: Set<String> = [
        "Sources/LogicalVolumes/Text/VolumeGroupMetadata+Reading.swift read",
        "Benchmarks/StoreBenchmark/LayerOperations.swift mountAndUnmount",
        "Benchmarks/StoreBenchmark/LayerOperations.swift remove",
        "Tests/KernelTests/DeviceMapper/PreservationTests.swift logicalVolumes",
        "Tests/KernelTests/DeviceMapper/PreservationTests.swift poolsAndThinDevices",
        "Tests/KernelTests/Layers/StoreContentTests.swift keepsArchivesWithinTheLayer",
        "Tests/KernelTests/Recovery/StoreCheckTests.swift namesAStoreThatDoesNotFitItsPool",
        "Tests/KernelTests/Recovery/StoreCheckTests.swift namesEveryDamageAndMendsWhatNeedsNoGuess",
        "Tests/KernelTests/Recovery/StoreCheckTests.swift namesWhatTheSuperblockSays",
        "Tests/KernelTests/Snapshotter/SnapshotterLifeTests.swift survivesTheFailureOfAnyCommand",
    ]
    static let largeFolders: Set<String> = ["Tests/LayerStoreTests"]
    static let namesOfSeveralFiles: Set<String> = [
        "Mount.swift"
    ]
    static let sleepers: Set<String> = []
    static let readersOfTheErrorNumber: Set<String> = [
        "Sources/DeviceMapper/Control/Control.swift",
        "Sources/SystemCalls/SystemCall.swift",
    ]
    static let traps: Set<String> = []
    static let discardedErrors: Set<String> = [
        "Sources/BlockDevices/DeviceNode.swift",
        "Sources/Filesystems/Ext4Journal.swift",
        "Sources/SystemCalls/Program.swift",
        "Sources/LogicalVolumes/Text/ConfigurationValue.swift",
        "Sources/LogicalVolumes/System/LVMLock.swift",
        "Sources/LogicalVolumes/Rules/PhysicalVolumeScan.swift",
        "Sources/LogicalVolumes/Rules/DeviceRules.swift",
        "Sources/LogicalVolumes/Pool/ThinPoolVolume+Extension.swift",
        "Sources/LogicalVolumes/Pool/ThinPoolVolume+Activation.swift",
        "Sources/DeviceMapper/Control/KernelLog.swift",
        "Sources/DeviceMapper/Control/Control+Suspension.swift",
        "Sources/DeviceMapper/Control/Control+Activation.swift",
        "Sources/BlockDevices/Loop/LoopControl.swift",
        "Sources/BlockDevices/Loop/BackingFile.swift",
        "Sources/BlockDevices/DeviceHolder.swift",
        "Sources/Filesystems/DeviceUser.swift",
        "Sources/LayerStore/Devices/LayerMounts.swift",
        "Sources/LayerStore/Format/JSON/UnknownFields.swift",
        "Sources/LayerStore/Format/StoreDirectory.swift",
        "Sources/LayerStore/Operations/Init/InitMaking.swift",
        "Sources/LayerStore/Operations/Init/InitRequirements.swift",
        "Sources/LayerStore/Operations/TrimStore.swift",
        "Sources/ThinProvisioning/ThinPoolEvent.swift",
    ]
    /// Sequences, which a watcher makes, and the settings of a store, which are read from its files.
    static let answersOfTheLibraryOnly: Set<String> = [
        "Sources/DeviceMapper/Events/EventSequences.swift DeviceChanges",
        "Sources/LayerStore/Format/Configuration/DirectLVMOptions.swift DirectLVMOptions",
        "Sources/LayerStore/Format/Configuration/PoolSource.swift PoolSource",
        "Sources/LayerStore/Format/Configuration/StoreConfiguration.swift StoreConfiguration",
    ]
    /// Options of other programs that the pages name.
    static let foreignOptions: Set<String> = ["--remap-labels", "--systemid", "--disable-default-traits"]
    /// Names of other projects that look like types of Swift.
    static let foreignNames: Set<String> = [
        "Daemon", "FailedPrecondition", "FoundationEssentials", "ParsableCommand", "ResourceExhausted", "Sendable",
        "SystemdCgroup", "Unreleased",
    ]
}
