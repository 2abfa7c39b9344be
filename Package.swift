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

let package = Package(
    name: "swift-devicemapper",
    products: [
        .library(name: "DeviceMapper", targets: ["DeviceMapper"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1")
    ],
    targets: [
        .target(name: "CShims", path: "CShims"),
        .target(name: "DeviceMapper", dependencies: ["CShims", system], swiftSettings: strict),
        .target(name: "LayerArchive", dependencies: ["CShims", system], swiftSettings: strict),
        .testTarget(name: "DeviceMapperTests", dependencies: ["DeviceMapper"], swiftSettings: strict),
        .testTarget(
            name: "LayerArchiveTests", dependencies: ["CShims", "LayerArchive", system], swiftSettings: strict),
    ]
)
