internal import DeviceMapper
internal import ThinProvisioning

/// A column of `thin_ls`.
enum ThinLsField: String, CaseIterable {
    case DEV, HIGHEST_MAPPED, MAPPED, EXCLUSIVE, SHARED, MAPPED_BLOCKS, EXCLUSIVE_BLOCKS, SHARED_BLOCKS
    case MAPPED_SECTORS, EXCLUSIVE_SECTORS, SHARED_SECTORS, MAPPED_BYTES, EXCLUSIVE_BYTES, SHARED_BYTES
    case TRANSACTION, CREATE_TIME, SNAP_TIME

    /// Whether all mappings must be read for it.
    var needsMappings: Bool {
        let name = rawValue
        return name.hasPrefix("EXCLUSIVE") || name.hasPrefix("SHARED") || name.contains("MAPPED")
    }

    /// The text of the column for a device.
    ///
    /// - Parameter blockSize: The size of a block of the pool in bytes.
    func cell(_ usage: ThinDeviceUsage, blockSize: UInt64) -> String {
        let details = usage.details
        switch self {
        case .DEV: return "\(details.id)"
        case .HIGHEST_MAPPED: return Self.size(((usage.highest ?? 0) &+ 1) &* blockSize &- 1)
        case .TRANSACTION: return "\(details.transactionID)"
        case .CREATE_TIME: return "\(details.creationTime)"
        case .SNAP_TIME: return "\(details.snapshottedTime)"
        default: break
        }
        let name = rawValue
        let blocks =
            name.hasPrefix("MAPPED") ? usage.mapped : name.hasPrefix("EXCLUSIVE") ? usage.exclusive : usage.shared
        if name.hasSuffix("_BLOCKS") { return "\(blocks)" }
        if name.hasSuffix("_SECTORS") { return "\(blocks &* (blockSize / 512))" }
        if name.hasSuffix("_BYTES") { return "\(blocks &* blockSize)" }
        return Self.size(blocks &* blockSize)
    }

    /// A number of bytes in the unit in which it is not above 8192, as thin_ls prints it.
    ///
    /// It looks at whole numbers of the unit below, and rounds these.
    static func size(_ bytes: UInt64) -> String {
        // The letter b is thin_ls's.
        let units = ["b", "KiB", "MiB", "GiB", "Tib", "PiB", "EiB"]
        let digits = UInt64.bitWidth - bytes.leadingZeroBitCount
        var unit = max(0, (digits - 1) / 10 - 1)
        var multiple = bytes >> UInt64(10 * unit)
        if multiple > 8192 {
            multiple = UInt64((Double(multiple) / 1024).rounded())
            unit += 1
        }
        return "\(multiple)\(units[unit])"
    }
}

/// `thin_ls`.
enum ThinLs: ThinTool {
    static let name = "thin_ls"
    static let about = "List thin volumes within a pool"
    static let options = [
        ToolOption.input("Specify the input device"),
        ToolInput.snapshot,
        ToolOption(name: "no-headers", help: "Don't output headers"),
        ToolOption(
            name: "format", short: "o", value: "FIELDS", help: "Give a comma separated list of fields to be output"),
    ]

    /// The fields that the option names.
    private static func fields(_ arguments: ToolArguments) throws -> [ThinLsField] {
        guard let text = arguments.text("format") else { return [.DEV, .MAPPED, .CREATE_TIME, .SNAP_TIME] }
        return try text.split(separator: ",", omittingEmptySubsequences: false).map { name in
            guard let field = ThinLsField(rawValue: String(name)) else {
                throw arguments.invalid("format", "Unknown field")
            }
            return field
        }
    }

    static func run(_ arguments: ToolArguments) throws {
        let fields = try fields(arguments)
        let metadata = try ToolInput.open(arguments, heldRoot: arguments.has("metadata-snap") ? .held : .none)
        let devices: [ThinDeviceUsage]
        if fields.contains(where: \.needsMappings) {
            complain("Scanning data mappings\n")
            devices = try metadata.usage()
        } else {
            devices = try metadata.devices().map { ThinDeviceUsage(describing: $0) }
        }
        let blockSize = metadata.superblock.blockSize.bytes
        var rows = arguments.has("no-headers") ? [] : [fields.map(\.rawValue)]
        rows += devices.map { device in fields.map { $0.cell(device, blockSize: blockSize) } }
        var widths = [Int](repeating: 0, count: fields.count)
        for row in rows {
            for (column, cell) in row.enumerated() { widths[column] = max(widths[column], cell.utf8.count) }
        }
        var text = ""
        for row in rows {
            for (column, cell) in row.enumerated() {
                text += cell.paddedLeft(widths[column]) + " "
            }
            text += "\n"
        }
        try print(text)
    }
}
