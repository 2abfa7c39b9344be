// swift-tools-version: 6.2

import PackageDescription

/// Every target is held to the same rules; a warning never survives a build.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let system = Target.Dependency.product(name: "SystemPackage", package: "swift-system")

/// The condition of the libraries that only the images need: for digests and decompression.
let images = TargetDependencyCondition.when(traits: ["Images"])

let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

/// What only “dmlayer serve” needs.
let daemon = TargetDependencyCondition.when(traits: ["Daemon"])

/// A connection without a socket, for tests.
let embedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio", condition: daemon)

let logging = Target.Dependency.product(name: "Logging", package: "swift-log", condition: daemon)

let service: [Target.Dependency] = [
    logging,
    .product(name: "NIOCore", package: "swift-nio", condition: daemon),
    .product(name: "NIOHPACK", package: "swift-nio-http2", condition: daemon),
    .product(name: "NIOHTTP2", package: "swift-nio-http2", condition: daemon),
    .product(name: "NIOPosix", package: "swift-nio", condition: daemon),
    .product(name: "SwiftProtobuf", package: "swift-protobuf", condition: daemon),
]

/// The commit from which this is built; `nil` outside of a repository.
let commit = Context.gitInformation.map { git in
    CSetting.define("DMSHIM_COMMIT", to: "\"\(git.currentCommit.prefix(12))\(git.hasUncommittedChanges ? "+" : "")\"")
}

let package = Package(
    name: "swift-devicemapper",
    products: [
        .library(name: "DeviceMapper", targets: ["DeviceMapper"]),
        .library(name: "BlockDevices", targets: ["BlockDevices"]),
        .library(name: "ThinProvisioning", targets: ["ThinProvisioning"]),
        .library(name: "LayerStore", targets: ["LayerArchive", "LayerStore"]),
        .library(name: "Images", targets: ["Images"]),
        .executable(name: "dmlayer", targets: ["dmlayer"]),
    ],
    traits: [
        .default(enabledTraits: ["Daemon", "Images"]),
        .trait(name: "Daemon", description: "The service for containerd, “dmlayer serve”, with gRPC."),
        .trait(name: "Images", description: "Images in and out, “dmlayer image” and “dmlayer container”."),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    ],
    targets: [
        .target(name: "CShims", path: "CShims", cSettings: commit.map { [$0] } ?? []),
        .target(name: "SystemCalls", dependencies: [system], swiftSettings: strict),
        .target(name: "DeviceMapper", dependencies: ["CShims", "SystemCalls", system], swiftSettings: strict),
        .target(
            name: "BlockDevices", dependencies: ["CShims", "DeviceMapper", "SystemCalls", system], swiftSettings: strict
        ),
        .target(
            name: "Filesystems", dependencies: ["BlockDevices", "CShims", "DeviceMapper", "SystemCalls", system],
            swiftSettings: strict),
        .target(
            name: "ThinProvisioning", dependencies: ["CShims", "DeviceMapper", "SystemCalls", system],
            swiftSettings: strict),
        .target(
            name: "LogicalVolumes", dependencies: ["BlockDevices", "CShims", "DeviceMapper", "SystemCalls", system],
            swiftSettings: strict),
        .testTarget(
            name: "LogicalVolumesTests",
            dependencies: ["BlockDevices", "DeviceMapper", "LogicalVolumes", "TestSupport", system],
            swiftSettings: strict),
        .target(
            name: "LayerStore",
            dependencies: [
                "BlockDevices", "CShims", "DeviceMapper", "Filesystems", "LayerArchive", "LogicalVolumes",
                "SystemCalls", "ThinProvisioning", system,
            ], swiftSettings: strict),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(name: "CZstd", providers: [.apt(["libzstd-dev"])]),
        .target(
            name: "Images",
            dependencies: [
                .target(name: "CZlib", condition: images), .target(name: "CZstd", condition: images),
                .product(name: "Crypto", package: "swift-crypto", condition: images),
                "BlockDevices", "LayerArchive", "LayerStore", "SystemCalls", system,
            ], swiftSettings: strict),
        .target(
            name: "ContainerdSnapshotter",
            dependencies: [
                "LayerStore", "SystemCalls", "ThinProvisioning", system,
            ] + service, exclude: ["Protocol"], swiftSettings: strict),
        .executableTarget(
            name: "dmlayer",
            dependencies: [
                .target(name: "ContainerdSnapshotter", condition: daemon),
                .target(name: "Images", condition: images), "BlockDevices", "CShims", "DeviceMapper",
                "LayerArchive", "LayerStore",
                "LogicalVolumes", "SystemCalls", "ThinProvisioning", arguments, logging, system,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "DeviceMapperTests", dependencies: ["DeviceMapper", "TestSupport", system], swiftSettings: strict),
        .target(
            name: "TestSupport", dependencies: ["SystemCalls", system], path: "Tests/TestSupport",
            swiftSettings: strict),
        .executableTarget(
            name: "PowerCut",
            dependencies: ["DeviceMapper", "LayerStore", "SystemCalls", "TestSupport", "ThinProvisioning", system],
            path: "Tests/PowerCut", swiftSettings: strict),
        .executableTarget(
            name: "Stress",
            dependencies: [
                "BlockDevices", "DeviceMapper", "Filesystems", "LayerArchive", "LayerStore", "SystemCalls",
                "TestSupport", "ThinProvisioning", system,
            ], path: "Tests/Stress", swiftSettings: strict),
        .executableTarget(
            name: "GuestTests", dependencies: ["SystemCalls", "TestSupport", system], path: "Tests/GuestTests",
            swiftSettings: strict),
        .testTarget(
            name: "BlockDevicesTests", dependencies: ["BlockDevices", "DeviceMapper", "TestSupport", system],
            swiftSettings: strict),
        .testTarget(
            name: "FilesystemsTests",
            dependencies: ["BlockDevices", "Filesystems", "DeviceMapper", "TestSupport", system],
            swiftSettings: strict),
        .testTarget(
            name: "KernelTests",
            dependencies: [
                .target(name: "Images", condition: images), "BlockDevices", "ContainerdSnapshotter", "Filesystems",
                "DeviceMapper", "LayerArchive", "LayerStore",
                "LogicalVolumes", "SystemCalls", "ThinProvisioning", "TestSupport", system,
            ], swiftSettings: strict),
        .testTarget(
            name: "ContainerdSnapshotterTests",
            dependencies: [
                "ContainerdSnapshotter", "LayerStore", "TestSupport", "ThinProvisioning", embedded, system,
            ] + service,
            swiftSettings: strict),
        .testTarget(
            name: "ThinProvisioningTests", dependencies: ["DeviceMapper", "ThinProvisioning", "TestSupport", system],
            swiftSettings: strict),
        .testTarget(
            name: "LayerStoreTests",
            dependencies: [
                "DeviceMapper", "LayerStore", "LogicalVolumes", "SystemCalls", "ThinProvisioning", "TestSupport",
                system,
            ],
            swiftSettings: strict),
        .target(name: "LayerArchive", dependencies: ["CShims", "SystemCalls", system], swiftSettings: strict),
        .testTarget(
            name: "ImagesTests", dependencies: ["Images", "LayerStore", "TestSupport", system],
            exclude: ["record.py"], swiftSettings: strict),
        .testTarget(
            name: "TidyTests", dependencies: ["LayerStore", "TestSupport", system], swiftSettings: strict),
        .executableTarget(
            name: "LinearDevice", dependencies: ["DeviceMapper"], path: "Examples/LinearDevice", swiftSettings: strict),
        .executableTarget(
            name: "ThinSnapshot", dependencies: ["BlockDevices", "DeviceMapper", "ThinProvisioning", system],
            path: "Examples/ThinSnapshot", swiftSettings: strict),
        .executableTarget(
            name: "PoolEvents", dependencies: ["DeviceMapper", "ThinProvisioning"], path: "Examples/PoolEvents",
            swiftSettings: strict),
        .target(name: "BenchmarkFloor", path: "Benchmarks/Floor"),
        .executableTarget(
            name: "StoreBenchmark",
            dependencies: [
                "BenchmarkFloor", "DeviceMapper", "LayerStore", "TestSupport", "ThinProvisioning", arguments, system,
            ], path: "Benchmarks/StoreBenchmark", swiftSettings: strict),
        .testTarget(
            name: "LayerArchiveTests", dependencies: ["CShims", "LayerArchive", "TestSupport", system],
            swiftSettings: strict),
    ]
)

// scripts/fuzz builds this one for itself, with a compiler option that nothing else may have.
if Context.environment["FUZZERS"] != nil {
    package.targets.append(
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "BlockDevices", "ContainerdSnapshotter", "DeviceMapper", "Filesystems", "Images", "LayerArchive",
                "LayerStore", "LogicalVolumes", "ThinProvisioning", embedded, system,
            ] + service, path: "Fuzzers", swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]))
}
