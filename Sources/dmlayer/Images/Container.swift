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

    @Flag(name: .shortAndLong, help: "Print only the ids.")
    var quiet = false

    @Flag(help: "Do not cut ids and commands short.")
    var noTrunc = false

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let containers = try options.containers().containers
        try options.output.print(json: containers.map(ContainerJSON.init), text: text(containers))
    }

    private func text(_ containers: [StoredContainer]) -> String? {
        guard !quiet else { return containers.isEmpty ? nil : containers.map { id(of: $0) }.joined(separator: "\n") }
        let rows = containers.map { container in
            let command = container.command
            let isLong = !noTrunc && command.count > 20
            return [
                id(of: container), container.imageName, "\"\(isLong ? command.prefix(19) + "…" : command[...])\"",
                DockerText.age(of: container.created), status(of: container.state), "", container.name,
            ]
        }
        return DockerText.table([["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"]] + rows)
    }

    private func id(of container: StoredContainer) -> String {
        noTrunc ? container.id.hexadecimal : container.id.short
    }

    private func status(of state: StoredContainer.State) -> String {
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
