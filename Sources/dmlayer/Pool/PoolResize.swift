internal import ArgumentParser
internal import LayerStore

/// The command `pool resize`.
struct PoolResize: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resize",
        abstract: "Make the pool larger, while its layers are in use.",
        discussion: """
            The pool's files are enlarged to the sizes that are given; they stay sparse, and never become smaller. \
            Without a size the pool takes what its files or block devices have grown to already. A command that was \
            interrupted can be given again.
            """)

    @Argument(help: "The new size of the data file, such as 200g.")
    var size: String?

    @Option(help: "The new size of the metadata file.")
    var metadata: String?

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let data = try size.map { try bytes($0, "the size") }
        let metadata = try metadata.map { try bytes($0, "--metadata") }
        let store = try options.openStore()
        let growth = try store.resizePool(data: data, metadata: metadata)
        try options.output.print(
            json: ["data_total": growth.data.now, "metadata_total": growth.metadata.now],
            text: Columns.aligned([row("Data:", growth.data), row("Metadata:", growth.metadata)]))
    }

    private func bytes(_ text: String, _ name: String) throws -> UInt64 {
        guard let size = ByteSize.parse(text), size > 0 else {
            throw ValidationError("\(name) \(text) is no size; write a number with k, m, g or t behind it")
        }
        return size
    }

    private func row(_ name: String, _ change: PoolGrowth.Change) -> [String] {
        let now = ByteSize.decimal(change.now)
        return [
            name, change.now == change.before ? "\(now), as before" : "\(ByteSize.decimal(change.before)) → \(now)",
        ]
    }
}
