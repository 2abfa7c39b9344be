internal import ArgumentParser
internal import LayerStore
internal import SystemPackage

/// The command `config check`.
struct ConfigCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a configuration file, without a store.",
        discussion: """
            It names the first entry that no command would take, with the name that was probably meant. Otherwise it \
            prints what the file says, and names the keys that mean nothing.
            """)

    @Argument(help: "The file. (default: /etc/dmlayer/config.json)")
    var file: String?

    @OptionGroup var printing: OutputOptions

    func run() throws {
        let path = file ?? GlobalOptions.defaultConfiguration
        let configuration = try DaemonConfiguration(reading: FilePath(path))
        let report = Report(
            root: try configuration.storeRoot()?.string, configuration,
            try StorageOptions(parsing: configuration.storageOptions))
        try printing.output.print(json: report, text: report.text)
    }

    private struct Report: Encodable {
        let root: String?
        let storageOptions: [String]
        let socket: String?
        let metricsSocket: String?
        let metricsAddress: String?
        let metricsAllowRemote: Bool
        let remapsIDs: Bool
        let unknownKeys: [String]
        let optionsWithoutEffect: [String]

        init(root: String?, _ configuration: DaemonConfiguration, _ options: StorageOptions) {
            self.root = root
            storageOptions = configuration.storageOptions
            socket = configuration.socket?.string
            metricsSocket = configuration.metricsSocket?.string
            metricsAddress = configuration.metricsAddress
            metricsAllowRemote = configuration.metricsAllowRemote
            remapsIDs = configuration.remapsIDs
            unknownKeys = configuration.unknownKeys
            optionsWithoutEffect = options.withoutEffect
        }

        enum CodingKeys: String, CodingKey {
            case root
            case storageOptions = "storage_opts"
            case socket
            case metricsSocket = "metrics_socket"
            case metricsAddress = "metrics_address"
            case metricsAllowRemote = "metrics_allow_remote"
            case remapsIDs = "remap_ids"
            case unknownKeys = "unknown_keys"
            case optionsWithoutEffect = "options_without_effect"
        }

        var text: String {
            var rows = [["root:", root ?? "/var/lib/dmlayer, because the file names none"]]
            rows += storageOptions.map { ["storage-opts:", $0] }
            if let socket { rows.append(["socket:", socket]) }
            if let metricsSocket { rows.append(["metrics-socket:", metricsSocket]) }
            if let metricsAddress { rows.append(["metrics-address:", metricsAddress]) }
            if metricsAllowRemote { rows.append(["metrics-allow-remote:", "yes"]) }
            if remapsIDs { rows.append(["remap-ids:", "yes"]) }
            rows += unknownKeys.map { ["\($0):", "means nothing, neither to Docker nor here"] }
            rows += optionsWithoutEffect.map { ["\($0):", "has no effect here"] }
            return Columns.aligned(rows)
        }
    }
}
