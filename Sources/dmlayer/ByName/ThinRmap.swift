internal import ThinProvisioning

/// `thin_rmap`.
enum ThinRmap: ThinTool {
    static let name = "thin_rmap"
    static let about = "Output reverse map of a thin provisioned region of blocks"
    static let options = [
        ToolOption.input("Specify the input device"),
        ToolOption(
            name: "region", value: "BLOCK_RANGE", help: "Specify range of blocks on the data device", isRequired: true,
            repeats: true),
    ]

    static func run(_ arguments: ToolArguments) throws {
        let regions = try arguments.all("region", region)
        try OwnerPrinting.print(
            ToolInput.open(arguments).owners(of: regions, takesLeavesOnce: true), to: Output(isJSON: false))
    }

    /// A range of data blocks, written as 5..45 without the last.
    private static func region(_ text: String) throws(ToolArguments.NumberError) -> Range<UInt64> {
        let dots = text.firstRange(of: "..")
        let low: UInt64 = try ToolArguments.number(String(text[..<(dots?.lowerBound ?? text.endIndex)]))
        let high: UInt64 = try ToolArguments.number(String(text[(dots?.upperBound ?? text.endIndex)...]))
        guard low < high else { throw ToolArguments.NumberError(reason: "end <= begin") }
        return low..<high
    }
}
