internal import ArgumentParser
internal import SystemPackage
internal import ThinProvisioning

/// The forms in which metadata is printed.
enum DumpFormat: String, CaseIterable, ExpressibleByArgument {
    case xml
    case humanReadable = "human_readable"
}

/// The command `metadata dump`.
struct MetadataDump: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "Print the devices of a pool and their mappings.",
        discussion: """
            The XML is what thin_restore reads. A part that several devices have in common stands in it once, as “def”.
            """)

    @Option(help: "The form: xml or human_readable.")
    var format: DumpFormat = .xml

    @Option(name: .shortAndLong, help: ArgumentHelp("Write to a file.", valueName: "file"))
    var output: String?

    @Option(
        name: .customLong("dev-id"), help: ArgumentHelp("Only this thin device; may be repeated.", valueName: "number"))
    var devices: [UInt64] = []

    @Flag(name: .customLong("skip-mappings"), help: "Only the devices, without their mappings.")
    var skipsMappings = false

    @OptionGroup var source: MetadataSource

    func validate() throws {
        guard !source.options.printing.isJSON else {
            throw ValidationError("A dump is XML or text, and has no form in JSON; leave --json out.")
        }
    }

    func run() throws {
        let selection = ThinMetadataSelection(numbers: devices, includesMappings: !skipsMappings)
        try source.read { metadata, _ in
            try MetadataPrinting(format: format, output: output, input: source.source.map { FilePath($0) })
                .print(metadata, selection)
        }
    }
}

extension ThinMetadataSelection {
    /// A selection of devices by their numbers; no numbers stand for all devices.
    init(numbers: [UInt64], includesMappings: Bool = true) {
        self.init(
            devices: numbers.isEmpty ? nil : Set(numbers.compactMap { ThinDeviceID($0) }),
            includesMappings: includesMappings)
    }
}

/// Prints metadata to standard output or into a file.
struct MetadataPrinting {
    let format: DumpFormat
    /// The file to write to; `nil` is standard output.
    let output: String?
    /// The device or file that is read; `nil` is the store's own pool.
    let input: FilePath?

    func print(_ metadata: ThinPoolMetadata, _ selection: ThinMetadataSelection) throws {
        try printing { visitor in try metadata.walk(into: &visitor, selection) }
    }

    /// Prints what can be read of damaged metadata.
    func print(_ repair: ThinMetadataRepair) throws {
        try printing { visitor in _ = try repair.walk(into: &visitor) }
    }

    private func printing(_ walk: (inout any ThinMetadataVisitor) throws -> Void) throws {
        guard let output else { return try printing(to: .standardOutput, walk) }
        try MetadataOutputCheck.requireUnused(FilePath(output), input: input)
        try MetadataOutputCheck.requireNoPool(FilePath(output))
        try OutputFile(FilePath(output)).write { try printing(to: $0, walk) }
    }

    private func printing(
        to file: FileDescriptor, _ walk: (inout any ThinMetadataVisitor) throws -> Void
    ) throws {
        let write: ([UInt8]) throws -> Void = { _ = try file.writeAll($0) }
        var visitor: any ThinMetadataVisitor =
            switch format {
            case .xml: ThinMetadataXMLWriter(write)
            case .humanReadable: ThinMetadataTextWriter(write)
            }
        try walk(&visitor)
    }
}
