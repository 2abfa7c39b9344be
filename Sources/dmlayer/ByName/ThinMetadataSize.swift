internal import SystemPackage
internal import ThinProvisioning

/// `thin_metadata_size`.
enum ThinMetadataSize: ThinTool {
    static let name = "thin_metadata_size"
    static let about = "Estimate the size of the metadata device needed for a given configuration."
    static let options = [
        ToolOption(
            name: "block-size", short: "b", value: "SIZE[bskmg]", help: "Specify the data block size",
            isRequired: true),
        ToolOption(
            name: "pool-size", short: "s", value: "SIZE[bskmgtp]", help: "Specify the size of pool device",
            isRequired: true),
        ToolOption(
            name: "max-thins", short: "m", value: "NUM", help: "Maximum number of thin devices and snapshots",
            isRequired: true),
        ToolOption(
            name: "numeric-only", short: "n", value: "OPT", help: "Output numeric value only",
            isValueOptional: true, choices: ["short", "long"]),
        ToolOption(
            name: "unit", short: "u", value: "UNIT",
            help: "Specify the output unit in {bskKmMgG} [default: sector]"),
    ]

    static func run(_ arguments: ToolArguments) throws {
        let block = try size("block-size", arguments)
        let pool = try size("pool-size", arguments)
        let devices: UInt64 = try arguments.number("max-thins") ?? 0
        let unit = arguments.text("unit").map { MetadataSizeUnit($0) } ?? .sector
        guard let unit else { throw arguments.invalid("unit", "Invalid unit specifier") }
        let bytes = try MetadataSize.bytes(block: block, pool: pool, devices: devices)
        let number = unit.text(ofBytes: bytes)
        switch arguments.text("numeric-only") {
        case nil: try print("\(number) \(unit.name)s\n")
        case "short"?: try print("\(number)\(unit.letter)\n")
        case "long"?: try print("\(number)\(unit.name)s\n")
        default: try print("\(number)\n")
        }
    }

    private static func size(_ option: String, _ arguments: ToolArguments) throws -> UInt64 {
        let text = arguments.text(option) ?? ""
        do {
            return try MetadataSizeUnit.bytes(text)
        } catch {
            throw arguments.invalid(option, error.reason)
        }
    }
}
