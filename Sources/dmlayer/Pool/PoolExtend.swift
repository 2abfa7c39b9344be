internal import ArgumentParser
internal import DeviceMapper
internal import LayerStore
internal import LogicalVolumes

/// The command `pool extend`.
struct PoolExtend: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "extend",
        abstract: "Make a thin pool of LVM's larger while it is in use, with new devices or with free extents.",
        discussion: """
            The devices become physical volumes of the pool's volume group, and everything that is free in it becomes \
            space for data. A device that holds something is left alone unless --force is given; one that is in use always.
            """)

    @Argument(help: ArgumentHelp("The new devices; none uses what is free already.", valueName: "device"))
    var devices: [String] = []

    @Option(
        help: ArgumentHelp("Add so much space for metadata, such as 1g, before data takes the rest.", valueName: "size")
    )
    var metadata: String?

    @Flag(help: "Overwrite what is on the devices.")
    var force = false

    @OptionGroup var selection: PoolVolume

    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard !options.isReadOnly else {
            throw ValidationError("The pool cannot become larger with --read-only; leave that option out.")
        }
    }

    func run() throws {
        var growth = ThinPoolGrowth(devices: devices, overwritesDevices: force, data: .everythingFree)
        if let metadata {
            growth.metadataBytes = try SizeArgument.bytes(metadata, of: "--metadata")
            // With free extents alone only the metadata is meant.
            if devices.isEmpty { growth.data = .nothing }
        }
        let volume = try selection.volume(options)
        let result = try volume.extend(by: growth, try Control())
        let extent = result.group.extentSize.bytes
        let summary = Summary(
            pool: volume.description, dataAdded: result.data * extent, metadataAdded: result.metadata * extent,
            freeBytes: try result.group.freeExtentCount() * extent)
        try options.output.print(json: summary, text: summary.text)
    }
}

/// The result of `pool extend` in JSON.
private struct Summary: Encodable {
    let pool: String
    let dataAdded: UInt64
    let metadataAdded: UInt64
    let freeBytes: UInt64

    enum CodingKeys: String, CodingKey {
        case pool
        case dataAdded = "data_added"
        case metadataAdded = "metadata_added"
        case freeBytes = "free"
    }

    var text: String {
        // Not a failure: a command that was interrupted is repeated until nothing is left to do.
        guard dataAdded > 0 || metadataAdded > 0 else {
            return freeBytes == 0
                ? "\(pool) is as large as before: its volume group has no free extent. Name a new device, which becomes a part of it"
                : "\(pool) is as large as before; \(ByteSize.decimal(freeBytes)) of the volume group are free"
        }
        return
            "\(pool) has \(ByteSize.decimal(dataAdded)) more for data and \(ByteSize.decimal(metadataAdded)) more for metadata; "
            + "\(ByteSize.decimal(freeBytes)) of the volume group are free"
    }
}
