internal import ArgumentParser
internal import DeviceMapper
internal import LayerStore
internal import ThinProvisioning

/// The command `metadata list`.
struct MetadataList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the thin devices of a pool with what each has for itself and what it shares.",
        discussion: "Exclusive is what the deletion of the device frees. In JSON, sizes are in bytes.")

    @OptionGroup var source: MetadataSource

    func run() throws {
        let (devices, unit, layers) = try source.read { metadata, layers in
            (try metadata.usage(), metadata.superblock.blockSize.bytes, layers)
        }
        let heading = ["DEVICE", "MAPPED", "EXCLUSIVE", "SHARED", "HIGHEST", "CREATED", "SNAPSHOT", "TRANSACTION"]
        let rows = devices.map { device in
            row(device, unit) + (layers.isEmpty ? [] : [layers[device.details.id]?.text ?? "-"])
        }
        try source.output.print(
            json: JSONValue.list(devices.map { json($0, unit, layers[$0.details.id]) }),
            text: Columns.aligned([heading + (layers.isEmpty ? [] : ["LAYER"])] + rows))
    }

    private func row(_ device: ThinDeviceUsage, _ unit: UInt64) -> [String] {
        [
            "\(device.details.id)", ByteSize.decimal(device.mapped * unit), ByteSize.decimal(device.exclusive * unit),
            ByteSize.decimal(device.shared * unit), device.highest.map { "\($0)" } ?? "-",
            "\(device.details.creationTime)", "\(device.details.snapshottedTime)", "\(device.details.transactionID)",
        ]
    }

    private func json(_ device: ThinDeviceUsage, _ unit: UInt64, _ layer: LayerID?) -> JSONValue {
        .object([
            "layer": layer.map { .text($0.text) },
            "device": .number(UInt64(device.details.id.value)), "mapped": .number(device.mapped * unit),
            "exclusive": .number(device.exclusive * unit), "shared": .number(device.shared * unit),
            "highest_block": device.highest.map { .number($0) },
            "creation_time": .number(UInt64(device.details.creationTime)),
            "snapshotted_time": .number(UInt64(device.details.snapshottedTime)),
            "transaction": .number(device.details.transactionID),
        ])
    }
}

/// The command `metadata map`.
struct MetadataMap: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map", abstract: "Say which thin devices have some data blocks.")

    @Option(
        name: .customLong("region"),
        help: ArgumentHelp(
            "The data blocks from BEGIN up to END, without END; may be repeated.", valueName: "begin..end"))
    var regions: [BlockRange]

    @OptionGroup var source: MetadataSource

    func run() throws {
        let owners = try source.read { metadata, _ in try metadata.owners(of: regions.map(\.blocks)) }
        try OwnerPrinting.print(owners, to: source.output)
    }
}

/// The command `metadata delta`.
struct MetadataDelta: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "delta",
        abstract: "Print in what two thin devices differ, as XML.",
        discussion: """
            What two devices have in common is not read, unless --same is given: the command takes the time for what \
            differs, and not for what is mapped.
            """)

    @Flag(help: "Print the runs in which both devices agree as well.")
    var same = false

    @Flag(help: "Print the data blocks as well.")
    var verbose = false

    @Argument(help: "The number of the first thin device.")
    var first: UInt32

    @Argument(help: "The number of the second thin device.")
    var second: UInt32

    @OptionGroup var source: MetadataSource

    func run() throws {
        let (left, right) = (try side(first), try side(second))
        try source.read { metadata, _ in
            guard source.output.isJSON else {
                return try DeltaPrinting.print(
                    metadata, from: left, to: right, isVerbose: verbose, includesEqual: same)
            }
            var runs: [ThinDelta] = []
            try metadata.delta(from: left, to: right, includesEqual: same) { runs.append($0) }
            try source.output.print(json: JSONValue.list(runs.map(json)), text: nil)
        }
    }

    private func json(_ run: ThinDelta) -> JSONValue {
        let kind =
            switch run.kind {
            case .leftOnly: "left_only"
            case .rightOnly: "right_only"
            case .different: "different"
            case .same: "same"
            }
        return .object([
            "kind": .text(kind), "begin": .number(run.thinBlocks.lowerBound), "end": .number(run.thinBlocks.upperBound),
            "left_data_begin": run.leftDataBlock.map { .number($0) },
            "right_data_begin": run.rightDataBlock.map { .number($0) },
        ])
    }

    private func side(_ number: UInt32) throws -> ThinDeltaSide {
        guard let id = ThinDeviceID(number) else { throw ValidationError("\(number) is no number of a thin device") }
        return .device(id)
    }
}
