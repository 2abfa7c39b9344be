internal import SystemPackage
internal import ThinProvisioning

/// `thin_repair`.
enum ThinRepair: ThinTool {
    static let name = "thin_repair"
    static let about = "Repair thin-provisioning metadata, and write it to different device or file"
    static let options = [
        // thin_repair takes an argument without a name as well, and does nothing with it.
        ToolOption(name: "INPUT", value: "INPUT", help: "", isPositional: true, isHidden: true),
        ToolFiles.input, ToolFiles.output, ToolFiles.quiet, ToolFiles.transaction, ToolFiles.dataBlocks,
        ToolFiles.blockSize,
    ]

    static func run(_ arguments: ToolArguments) throws {
        let overrides = try arguments.overrides()
        let files = try ToolFiles(arguments)
        try MetadataOutputCheck.requireUnused(files.output, input: files.input)
        let repair = try ThinMetadataRepair(files.input, overrides: overrides)
        _ = try repair.write(to: files.output)
    }
}
