internal import ArgumentParser
internal import SystemPackage
internal import ThinProvisioning

/// The command `metadata renew-clock`.
struct MetadataRenewClock: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "renew-clock",
        abstract: "Number the snapshots of an inactive pool anew, from 1 on.",
        discussion: """
            A pool can make 16777215 snapshots in its life, because its metadata keeps 24 bits of their number. This command \
            gives small numbers to the times that are still needed; what the devices share stays as it is. The new metadata is \
            written to free blocks of the device, and takes the place of the old at the end. A copy of the device is made \
            before.
            """)

    @Argument(help: "The metadata device, or a file.")
    var device: String

    @Option(help: ArgumentHelp("A new file for the copy of the device.", valueName: "file"))
    var backup: String

    @OptionGroup var printing: OutputOptions

    func run() throws {
        try MetadataOutputCheck.require(FilePath(device), isForced: true)
        let change = try MetadataReplacement.renewClock(of: FilePath(device), backup: FilePath(backup))
        try printing.output.print(
            json: ["time_before": change.before, "time": change.after],
            text: "the pool's time was \(change.before) and is \(change.after); \(backup) has the metadata from before")
    }
}
