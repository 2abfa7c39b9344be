internal import ArgumentParser
internal import LayerStore
internal import SystemPackage

/// The command `init`.
struct Initialize: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Make a store: its pool and its base device.",
        discussion: """
            The storage options are kept with the store; later commands need none. When the command fails, or is killed, \
            nothing is fixed: run it again with other options. On a store that is complete it keeps new values of the \
            options that can change. A larger dm.basesize makes the \
            base device larger; a larger dm.loopdatasize or dm.loopmetadatasize enlarges the pool's files, and \
            dm.error_if_no_space changes what a full pool does, and dm.zero_new_blocks what is in the blocks that layers \
            get from then on, also while layers are in use.
            """)

    @Option(
        help: ArgumentHelp(
            "The owner of the store's directories and of the root of each layer, for containers in a user namespace.",
            valueName: "uid:gid"))
    var owner: String?

    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard !options.isReadOnly else {
            throw ValidationError("init makes or changes a store; --read-only is for commands that only look")
        }
    }

    func run() throws {
        let layerOwner = try owner.map { text in
            guard let owner = LayerOwner(text) else {
                throw ValidationError(
                    "--owner \(text) is no owner; write a user and a group as numbers, such as 100000:100000")
            }
            return owner
        }
        let store = try LayerStore.initialize(
            options.rootPath(), options: options.allStorageOptions(), owner: layerOwner, removals: .beforeReturning,
            note: Output.note)
        try options.output.print(json: StoreSummary(store), text: nil)
    }
}

/// The store, as `init` prints it in JSON.
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
