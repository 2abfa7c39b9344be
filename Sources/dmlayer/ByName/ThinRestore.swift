internal import SystemPackage
internal import ThinProvisioning

/// `thin_restore`.
enum ThinRestore: ThinTool {
    static let name = "thin_restore"
    static let about = "Convert XML format metadata to binary."
    static let options = [
        ToolOption(name: "input", short: "i", value: "FILE", help: "Specify the input xml", isRequired: true),
        ToolFiles.output, ToolFiles.quiet, ToolFiles.transaction, ToolFiles.dataBlocks,
        ToolOption(
            name: "data-block-size", short: nil, value: "SECTORS", help: "Override the data block size if needed"),
    ]

    static func run(_ arguments: ToolArguments) throws {
        let overrides = try arguments.overrides()
        let files = try ToolFiles(arguments)
        _ = try MetadataRestore.restore(files.input, to: files.output, overrides)
    }
}
