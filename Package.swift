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

let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "swift-devicemapper",
    products: [
        .library(name: "DeviceMapper", targets: ["DeviceMapper"]),
        .library(name: "ThinProvisioning", targets: ["ThinProvisioning"]),
        .library(name: "LayerStore", targets: ["LayerStore"]),
        .executable(name: "dmlayer", targets: ["dmlayer"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    ],
    targets: [
        .target(name: "CShims", path: "CShims"),
        .target(name: "DeviceMapper", dependencies: ["CShims", system], swiftSettings: strict),
        .target(name: "BlockDevices", dependencies: ["CShims", "DeviceMapper", system], swiftSettings: strict),
        .target(
            name: "Filesystems", dependencies: ["BlockDevices", "CShims", "DeviceMapper", system],
            swiftSettings: strict),
        .target(name: "ThinProvisioning", dependencies: ["DeviceMapper"], swiftSettings: strict),
        .target(
            name: "LayerStore",
            dependencies: ["BlockDevices", "CShims", "DeviceMapper", "Filesystems", "ThinProvisioning", system],
            swiftSettings: strict),
        .executableTarget(
            name: "dmlayer", dependencies: ["DeviceMapper", "LayerStore", "ThinProvisioning", arguments, system],
            swiftSettings: strict),
        .testTarget(name: "DeviceMapperTests", dependencies: ["DeviceMapper", system], swiftSettings: strict),
        .target(name: "TestSupport", dependencies: [system], path: "Tests/TestSupport", swiftSettings: strict),
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
                "BlockDevices", "Filesystems", "DeviceMapper", "LayerStore", "ThinProvisioning", "TestSupport", system,
            ], swiftSettings: strict),
        .testTarget(
            name: "LayerStoreTests", dependencies: ["LayerStore", "ThinProvisioning", "TestSupport", system],
            swiftSettings: strict),
    ]
)
