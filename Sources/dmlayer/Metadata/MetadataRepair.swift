internal import ArgumentParser
internal import LayerStore
internal import SystemPackage
internal import ThinProvisioning

/// The command `metadata repair`.
struct MetadataRepair: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair",
        abstract: "Write a good copy of damaged metadata to another device or file.",
        discussion: """
            The input is only read. All of its blocks are searched for the newest state of the pool that is whole. If there \
            is none, the newest state is taken as far as it can be read, and the output says what each device has lost. \
            With --in-place, all of the device is copied to a file. Then the repaired state is written to blocks of the \
            device that neither it nor the state of the old superblock uses. With --root, the output also names the layers \
            of that store.
            """)

    @Option(name: .shortAndLong, help: ArgumentHelp("The damaged metadata.", valueName: "device"))
    var input: String

    @Option(name: .shortAndLong, help: ArgumentHelp("Another metadata device, or a file.", valueName: "device"))
    var output: String?

    @Flag(help: "Repair the metadata on its own device; --backup is needed.")
    var inPlace = false

    @Option(help: ArgumentHelp("A new file for a copy of the damaged device.", valueName: "file"))
    var backup: String?

    @Flag(help: "Overwrite whatever is on the output.")
    var force = false

    @OptionGroup var overrides: MetadataOverrides
    @OptionGroup var options: GlobalOptions

    private struct Result: Encodable {
        struct Lost: Encodable {
            let device: UInt32
            let layer: String?
            let mapped: UInt64
            let lost: UInt64
        }
        let transaction: UInt64
        let devices: Int
        let whole: Bool
        let lost: [Lost]
    }

    func validate() throws {
        guard (output != nil) != inPlace else { throw ValidationError("Give either --output or --in-place.") }
        guard (backup != nil) == inPlace else { throw ValidationError("--in-place and --backup belong together.") }
    }

    func run() throws {
        let output = output ?? input
        let layers = try options.namedLayers()
        try MetadataOutputCheck.require(
            FilePath(output), input: inPlace ? nil : FilePath(input), isForced: force || inPlace)
        let repair = try ThinMetadataRepair(FilePath(input), overrides: overrides.overrides)
        guard !repair.hasSuperblock || overrides.isEmpty else {
            throw Failure(
                "the superblock of \(input) can be read, and says what the pool is; leave out --transaction-id, "
                    + "--data-block-size and --nr-data-blocks")
        }
        let devices =
            if let backup {
                try MetadataReplacement.repair(FilePath(input), backup: FilePath(backup), repair)
            } else {
                try repair.write(to: FilePath(output))
            }
        let lost = devices.filter { $0.lostBlocks > 0 }
        var lines = [
            "\(output): the state of transaction \(repair.header.transactionID), \(devices.count) thin devices"
        ]
        if !repair.isWhole {
            lines.append("no state is whole; this one is the newest, as far as it can be read")
        } else if !repair.isCurrent {
            lines.append("the superblock or a tree that it names is damaged; this is the newest state that is whole")
        }
        lines += lost.map {
            "thin device \($0.id.description(among: layers)): \($0.mappedBlocks) mapped blocks are there, \($0.lostBlocks) are lost"
        }
        try options.output.print(
            json: Result(
                transaction: repair.header.transactionID, devices: devices.count, whole: lost.isEmpty,
                lost: lost.map { device in
                    .init(
                        device: device.id.value, layer: layers[device.id]?.text, mapped: device.mappedBlocks,
                        lost: device.lostBlocks)
                }),
            text: lines.joined(separator: "\n"))
    }
}
