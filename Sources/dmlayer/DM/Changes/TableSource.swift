internal import ArgumentParser
internal import DeviceMapper
internal import SystemPackage

/// Where a command takes a mapping table from.
struct TableSource: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The mapping table, one segment a line: start, length (both in sectors), target, parameters.",
            valueName: "text"))
    var table: String?

    @Option(
        help: ArgumentHelp(
            "A file with the mapping table. Without either option it is read from standard input.", valueName: "file"))
    var tableFile: String?

    @Flag(name: .customLong("readonly"), help: "Make the device read-only.")
    var readOnly = false

    func validate() throws {
        if table != nil, tableFile != nil { throw ValidationError("Give either --table or --table-file.") }
    }

    /// Whether an option is about a table.
    var isGiven: Bool { table != nil || tableFile != nil || readOnly }

    /// Reads the table.
    func read() throws -> MappingTable {
        let text: String
        if let table {
            text = table
        } else if let tableFile {
            text = try String(readingFile: FilePath(tableFile))
        } else {
            text = try String(readingAllFrom: .standardInput, called: "standard input")
        }
        return try MappingTable(parsing: text, isReadOnly: readOnly)
    }
}
