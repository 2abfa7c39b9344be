internal import SystemPackage
internal import ThinProvisioning

/// `thin_dump`.
enum ThinDump: ThinTool {
    static let name = "thin_dump"
    static let about = "Dump thin-provisioning metadata to stdout in XML format"
    static let options = [
        ToolOption.input("Specify the input device to dump"),
        ToolFiles.blockSize,
        ToolOption(name: "dev-id", value: "THIN_ID", help: "Dump the specified device", repeats: true),
        ToolOption(
            name: "format", short: "f", value: "TYPE", help: "Choose the output format",
            choices: DumpFormat.allCases.map(\.rawValue)),
        ToolOption(
            name: "metadata-snap", short: "m", value: "BLOCKNR", help: "Access the metadata snapshot on a live pool",
            isValueOptional: true),
        ToolFiles.dataBlocks,
        ToolOption(name: "output", short: "o", value: "FILE", help: "Specify the output file rather than stdout"),
        ToolFiles.quiet,
        ToolOption(
            name: "repair", short: "r", help: "Repair the metadata whilst dumping it", excluded: ["metadata-snap"]),
        ToolOption(name: "skip-mappings", help: "Do not dump the mappings"),
        ToolFiles.transaction,
    ]

    static func run(_ arguments: ToolArguments) throws {
        let devices: [UInt64] = try arguments.all("dev-id", ToolArguments.number)
        let block: UInt64? = try arguments.number("metadata-snap")
        let overrides = try arguments.overrides()
        let printing = MetadataPrinting(
            format: arguments.text("format").flatMap { DumpFormat(rawValue: $0) } ?? .xml,
            output: arguments.text("output"), input: try ToolInput.path(arguments))
        if arguments.has("repair") {
            return try printing.print(ThinMetadataRepair(ToolInput.path(arguments), overrides: overrides))
        }
        let root: ToolInput.HeldRoot = block.map { .block($0) } ?? (arguments.has("metadata-snap") ? .held : .none)
        // thin_dump lists all devices without their mappings, whatever devices are named.
        let selection =
            arguments.has("skip-mappings")
            ? ThinMetadataSelection(includesMappings: false) : ThinMetadataSelection(numbers: devices)
        try printing.print(ToolInput.open(arguments, heldRoot: root), selection)
    }
}
