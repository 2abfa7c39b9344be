internal import ArgumentParser
internal import LayerStore
internal import SystemPackage
internal import ThinProvisioning

/// Where a command reads the metadata of a pool.
struct MetadataSource: ParsableArguments {
    @Argument(
        help: """
            The metadata device of a pool, or a file with its content; without it, the store's own pool. With --root, the \
            layers of that store are named here as well.
            """)
    var source: String?

    @Flag(
        name: .customLong("metadata-snapshot"),
        help: "Read the snapshot of the metadata that the pool of SOURCE holds, which does not change.")
    var isSnapshot = false

    @OptionGroup var options: GlobalOptions

    var output: Output { options.output }

    func validate() throws {
        guard source != nil || !isSnapshot else {
            throw ValidationError("--metadata-snapshot needs SOURCE; the store's pool is read from a snapshot anyway.")
        }
    }

    /// Runs `body` with the metadata, and with the layers by their thin devices where it is that of a store.
    func read<Result>(_ body: (ThinPoolMetadata, [ThinDeviceID: LayerID]) throws -> Result) throws -> Result {
        guard let source else {
            let store = try options.openStore()
            let layers = try store.layersByThinDevice()
            return try store.readPoolMetadata { try body($0, layers) }
        }
        let layers = try options.namedLayers()
        let device = try ThinMetadataDevice(FilePath(source))
        let metadata = try ThinPoolMetadata(reading: device)
        guard isSnapshot else { return try body(metadata, layers) }
        guard let root = metadata.superblock.heldRoot else {
            throw Failure("the pool holds no snapshot of its metadata")
        }
        return try body(ThinPoolMetadata(reading: device, heldRoot: root), layers)
    }
}

extension GlobalOptions {
    /// The layers by their thin devices, of the store that the command line names; none where it names no store.
    func namedLayers() throws -> [ThinDeviceID: LayerID] {
        guard givenRoot != nil || config != nil else { return [:] }
        return try openStore().layersByThinDevice()
    }
}

extension ThinDeviceID {
    /// The number, with its layer where that is known: `7 (web)`.
    func description(among layers: [ThinDeviceID: LayerID]) -> String {
        "\(self)" + (layers[self].map { " (\($0))" } ?? "")
    }
}
