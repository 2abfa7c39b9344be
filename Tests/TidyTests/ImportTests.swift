import Testing

@Suite struct ImportTests {
    /// The modules of the project that a module may import, all of them below it.
    private static let allowed: [String: Set<String>] = [
        "SystemCalls": [],
        "DeviceMapper": ["CShims", "SystemCalls"],
        "LayerArchive": ["CShims", "SystemCalls"],
        "BlockDevices": ["CShims", "DeviceMapper", "SystemCalls"],
        "ThinProvisioning": ["CShims", "DeviceMapper", "SystemCalls"],
        "Filesystems": ["BlockDevices", "CShims", "DeviceMapper", "SystemCalls"],
        "LogicalVolumes": ["BlockDevices", "CShims", "DeviceMapper", "SystemCalls"],
        "LayerStore": [
            "BlockDevices", "CShims", "DeviceMapper", "Filesystems", "LayerArchive", "LogicalVolumes", "SystemCalls",
            "ThinProvisioning",
        ],
        "Images": ["BlockDevices", "CZlib", "CZstd", "LayerArchive", "LayerStore", "SystemCalls"],
        "ContainerdSnapshotter": ["LayerStore", "SystemCalls", "ThinProvisioning"],
        "dmlayer": [
            "BlockDevices", "CShims", "ContainerdSnapshotter", "DeviceMapper", "Images", "LayerArchive", "LayerStore",
            "LogicalVolumes", "SystemCalls", "ThinProvisioning",
        ],
    ]

    /// The modules that a line of code imports.
    private func imported(by source: SwiftFile) -> [String] {
        source.code.compactMap { line in
            let words = line.split(separator: " ")
            guard let place = words.firstIndex(of: "import"), place < 3, place + 1 < words.count else { return nil }
            return String(words[place + 1].split(separator: ".").first ?? "")
        }
    }

    @Test func arrowsPointDown() {
        let own = Set(Self.allowed.keys).union(["CShims", "CZlib", "CZstd"])
        for source in Tree.sources {
            let parts = source.file.path.split(separator: "/")
            guard parts.count > 2, let allowed = Self.allowed[String(parts[1])] else {
                Issue.record("\(source.file.path): the module is not in the table of arrows")
                continue
            }
            for module in imported(by: source) where own.contains(module) && !allowed.contains(module) {
                Issue.record("\(source.file.path): \(parts[1]) must not import \(module)")
            }
        }
    }

    @Test func onlyTheEssentialsOfFoundationAreImported() {
        let found = Tree.swiftFiles.filter { imported(by: $0).contains("Foundation") }.map(\.file.path)
        expect(Set(found), onlyIn: [], "Foundation adds 40 MB to the static binary; import FoundationEssentials")
    }
}
