#if Images
internal import ArgumentParser
internal import Images

/// The command `container`.
struct Container: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "container",
        abstract: "List the containers of a root of Docker's, and save them as images.",
        subcommands: [ContainerList.self, ContainerSave.self])

    @OptionGroup var options: GlobalOptions
}

/// The command `container list`.
struct ContainerList: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List all containers, as “docker ps --all” does.")

    @Flag(help: "Do not cut ids and commands short.")
    var noTrunc = false

    @OptionGroup(title: "LISTING OPTIONS") var listing: ListingOptions
    @OptionGroup var options: GlobalOptions

    func run() throws {
        let view = try listing.view(Self.listing(isCut: !noTrunc), options.output)
        try listing.watch.run(options.output) { output in
            try view.print(options.containers().containers, to: output) { $0.map(ContainerJSON.init) }
        }
    }

    private static func listing(isCut: Bool) -> Listing<StoredContainer> {
        func id(_ container: StoredContainer) -> String { isCut ? container.id.short : container.id.hexadecimal }
        return Listing(
            fields: [
                ListingField("id", "CONTAINER ID", { .text($0.id.hexadecimal) }, cell: id),
                ListingField("image", "IMAGE") { .text($0.imageName) },
                ListingField("command", "COMMAND", { .text($0.command) }, cell: { command(of: $0, isCut: isCut) }),
                ListingField(
                    "created", "CREATED", { ListingValue(created: $0.created) },
                    cell: { DockerText.age(of: $0.created) }),
                ListingField("status", "STATUS") { .text(status(of: $0.state)) },
                ListingField("ports", "PORTS") { _ in .text("") },
                ListingField("name", "NAMES") { .text($0.name) },
                ListingField("image_id", "IMAGE ID", isColumn: false) { ListingValue($0.image?.description) },
                ListingField("running", "RUNNING", isColumn: false) { .text("\($0.state.isRunning)") },
                ListingField("exit_code", "EXIT CODE", isColumn: false) { .number($0.state.exitCode) },
            ], key: id, table: DockerText.table)
    }

    private static func command(of container: StoredContainer, isCut: Bool) -> String {
        let command = container.command
        return "\"\(isCut && command.count > 20 ? command.prefix(19) + "…" : command[...])\""
    }

    private static func status(of state: StoredContainer.State) -> String {
        if state.isRunning { return "Up when Docker ended" }
        guard !state.started.hasPrefix("0001-") else { return "Created" }
        return "Exited (\(state.exitCode)) \(DockerText.age(of: state.finished))"
    }
}

/// A container in JSON.
private struct ContainerJSON: Encodable {
    let id: String
    let name: String
    let image: String
    let imageID: String?
    let command: String
    let created: String
    let isRunning: Bool
    let exitCode: Int64

    init(_ container: StoredContainer) {
        id = container.id.hexadecimal
        name = container.name
        image = container.imageName
        imageID = container.image?.description
        command = container.command
        created = container.created
        isRunning = container.state.isRunning
        exitCode = container.state.exitCode
    }

    private enum CodingKeys: String, CodingKey {
        case id, name, image, command, created
        case imageID = "image_id"
        case isRunning = "running"
        case exitCode = "exit_code"
    }
}
#endif
