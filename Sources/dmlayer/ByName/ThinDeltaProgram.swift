internal import ThinProvisioning

/// `thin_delta`.
enum ThinDeltaProgram: ThinTool {
    static let name = "thin_delta"
    static let about = "Print the differences in the mappings between two thin devices"
    static let options = [
        ToolOption.input("Specify the input device"),
        ToolInput.snapshot,
        ToolOption(name: "root1", value: "BLOCKNR", help: "The root block for the first thin volume to diff"),
        ToolOption(name: "root2", value: "BLOCKNR", help: "The root block for the second thin volume to diff"),
        ToolOption(
            name: "thin1", value: "DEV_ID", help: "The numeric identifier for the first thin volume to diff",
            alias: "snap1", excluded: ["root1"]),
        ToolOption(
            name: "thin2", value: "DEV_ID", help: "The numeric identifier for the second thin volume to diff",
            alias: "snap2", excluded: ["root2"]),
        ToolOption(name: "verbose", help: "Provide extra information on the mappings"),
    ]

    static func run(_ arguments: ToolArguments) throws {
        let left = try Side(arguments, 1)
        let right = try Side(arguments, 2)
        // A missing file is named before a missing option.
        _ = try ToolInput.path(arguments)
        for side in [left, right] { try side.require() }
        let metadata = try ToolInput.open(arguments, heldRoot: arguments.has("metadata-snap") ? .held : .none)
        let ids = Set(try metadata.devices().map { UInt64($0.id.value) })
        try DeltaPrinting.print(
            metadata, from: left.side(ids), to: right.side(ids), isVerbose: arguments.has("verbose"),
            includesEqual: true)
    }

    /// One of the two devices, as the arguments name it.
    private struct Side {
        let number: Int
        let thin: UInt64?
        let root: UInt64?

        init(_ arguments: ToolArguments, _ number: Int) throws {
            self.number = number
            thin = try arguments.number("thin\(number)")
            root = try arguments.number("root\(number)")
        }

        func require() throws {
            guard thin != nil || root != nil else { throw Failure("--thin\(number) or --root\(number) not specified") }
        }

        func side(_ ids: Set<UInt64>) throws -> ThinDeltaSide {
            guard let thin else { return .root(root ?? 0) }
            guard ids.contains(thin), let id = ThinDeviceID(thin) else {
                throw Failure("Unable to find mapping tree for snap\(number) (\(thin))")
            }
            return .device(id)
        }
    }
}
