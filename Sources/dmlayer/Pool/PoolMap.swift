internal import ArgumentParser
internal import DeviceMapper
internal import LayerStore
internal import SystemPackage
internal import ThinProvisioning

/// The command `pool map`.
struct PoolMap: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "map",
        abstract: "Draw which layers have which parts of the pool.",
        discussion: """
            Each character stands for a part of the data device. The legend gives each layer a letter; a part has the letter \
            of the layer with the most blocks there, or + where shared blocks are the most. Pieces are the runs of \
            consecutive blocks of a layer. In JSON, sizes are in bytes, and `exclusive` has a size for each thin device.
            """)

    @Flag(help: "Print a picture in SVG.")
    var svg = false

    @OptionGroup var source: MetadataSource

    private static let columns = 64
    private static let rows = 16

    func validate() throws {
        guard !svg || !source.output.isJSON else { throw ValidationError("Give either --svg or --json.") }
    }

    func run() throws {
        let picture = try source.read { metadata, layers in
            PoolPicture(
                map: try metadata.dataMap(parts: Self.columns * Self.rows), columns: Self.columns,
                blockSize: metadata.superblock.blockSize.bytes, layers: layers)
        }
        try source.output.print(json: json(picture), text: svg ? picture.svg : picture.text)
    }

    private func json(_ picture: PoolPicture) -> JSONValue {
        let (map, unit) = (picture.map, picture.blockSize)
        return .object([
            "size": .number(map.dataBlocks * unit), "block_size": .number(unit), "free": .number(map.free * unit),
            "free_runs": .number(map.freeRuns), "longest_free_run": .number(map.longestFreeRun * unit),
            "shared": .number(map.shared * unit),
            "devices": .list(
                map.devices.map { device in
                    .object([
                        "device": .number(UInt64(device.id.value)),
                        "layer": picture.layers[device.id].map { .text($0.text) },
                        "mapped": .number(device.mapped * unit), "exclusive": .number(device.exclusive * unit),
                        "shared": .number(device.shared * unit), "pieces": .number(device.pieces),
                    ])
                }),
            "parts": .list(
                map.parts.map { part in
                    .object([
                        "begin": .number(part.dataBlocks.lowerBound * unit),
                        "end": .number(part.dataBlocks.upperBound * unit), "free": .number(part.free * unit),
                        "shared": .number(part.shared * unit),
                        "exclusive": .object(
                            Dictionary(
                                uniqueKeysWithValues: part.exclusive.map { ("\($0)", JSONValue.number($1 * unit)) })),
                    ])
                }),
        ])
    }
}
