internal import ArgumentParser
internal import SystemPackage
internal import ThinProvisioning

/// The command `metadata restore`.
struct MetadataRestore: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Write a pool's metadata from its description in XML.",
        discussion: """
            The XML is that of thin_dump and of “dmlayer metadata dump”. The output is a block device that nothing holds, or \
            a file that has the size of the metadata device. If it is not empty, --force is needed. The superblock is written \
            last; until then the output is no pool.
            """)

    @Option(name: .shortAndLong, help: ArgumentHelp("The XML.", valueName: "file"))
    var input: String

    @Option(name: .shortAndLong, help: ArgumentHelp("The metadata device, or a file.", valueName: "device"))
    var output: String

    @Flag(help: "Overwrite whatever is on the output.")
    var force = false

    @OptionGroup var overrides: MetadataOverrides
    @OptionGroup var printing: OutputOptions

    func run() throws {
        try MetadataOutputCheck.require(FilePath(output), input: FilePath(input), isForced: force)
        let writer = try Self.restore(
            FilePath(input), to: FilePath(output), overrides.overrides, isEmpty: !force)
        for device in writer.corrected {
            Output.note(
                "thin device \(device): its number of mapped blocks was wrong in \(input), and is right in \(output)")
        }
        let usage = writer.usage
        try printing.output.print(
            json: ["metadata_used": usage.used, "metadata_total": usage.total],
            text: "\(output): \(usage.used) of \(usage.total) blocks of metadata are in use")
    }

    /// Restores the metadata, whatever is on the output.
    ///
    /// - Parameter isEmpty: Whether there is nothing on the output that a document which is cut off must not cost.
    static func restore(
        _ input: FilePath, to output: FilePath, _ overrides: ThinMetadataDocumentReader.Overrides, isEmpty: Bool = false
    ) throws -> ThinMetadataWriter {
        try MetadataOutputCheck.requireUnused(output, input: input)
        let (document, isRepeatable) = try RestoreDocument.open(input, copies: !isEmpty)
        return try document.closeAfter {
            if isRepeatable {
                var nothing = NothingWritten()
                do {
                    var reader = ThinMetadataDocumentReader(document, overrides: overrides)
                    try reader.read(into: &nothing)
                } catch {
                    throw Failure("\(input): \(error)")
                }
                try document.seek(offset: 0, from: .start)
            }
            var writer = try ThinMetadataWriter(output)
            var reader = ThinMetadataDocumentReader(document, overrides: overrides)
            do {
                try reader.read(into: &writer)
            } catch {
                throw Failure("\(input): \(error)" + (writer.hasBegun ? "; \(output) holds no pool now" : ""))
            }
            return writer
        }
    }
}

/// Takes a document only to see whether it is whole.
private struct NothingWritten: ThinMetadataVisitor {
    mutating func begin(_ pool: ThinMetadataHeader) {}
    mutating func beginShared(_ name: UInt64) {}
    mutating func endShared() {}
    mutating func beginDevice(_ device: ThinDeviceDetails) {}
    mutating func endDevice() {}
    mutating func map(_ run: ThinMapping) {}
    mutating func reference(to name: UInt64) {}
    mutating func end() {}
}

/// Fields of the pool that a command replaces.
struct MetadataOverrides: ParsableArguments {
    @Option(help: ArgumentHelp("The pool's transaction id, instead of the one that is found.", valueName: "number"))
    var transactionId: UInt64?

    @Option(help: ArgumentHelp("The size of a block of the pool in sectors of 512 bytes.", valueName: "sectors"))
    var dataBlockSize: UInt32?

    @Option(help: ArgumentHelp("The number of blocks of the data device.", valueName: "number"))
    var nrDataBlocks: UInt64?

    var isEmpty: Bool { transactionId == nil && dataBlockSize == nil && nrDataBlocks == nil }

    var overrides: ThinMetadataDocumentReader.Overrides {
        .init(transactionID: transactionId, blockSectors: dataBlockSize, dataBlocks: nrDataBlocks)
    }
}
