internal import ArgumentParser
internal import LayerStore
internal import SystemPackage

/// The command `init`.
struct Initialize: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make a store: its pool and its base device.",
        discussion: """
            The storage options are kept with the store; later commands need none. On a store that exists the command \
            completes what is missing and changes nothing else.
            """)

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let store = try LayerStore.initialize(
            options.rootPath(), options: options.allStorageOptions())
        try options.output.print(json: StoreSummary(store), text: nil)
    }
}

/// What `init` says of the store in JSON.
private struct StoreSummary: Encodable {
    let root: String
    let filesystem: String
    let blockSize: UInt64
    let baseSize: UInt64

    init(_ store: LayerStore) {
        root = store.root.string
        filesystem = store.configuration.filesystem.rawValue
        blockSize = store.configuration.blockSize
        baseSize = store.configuration.baseSize
    }

    enum CodingKeys: String, CodingKey {
        case root
        case filesystem
        case blockSize = "block_size"
        case baseSize = "base_size"
    }
}
