internal import ArgumentParser
internal import LayerStore
internal import SystemPackage
#if Daemon
internal import ContainerdSnapshotter
#endif

/// The command `config check`.
struct ConfigCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a configuration file, without a store.",
        discussion: """
            It names the first entry that a command or the service would refuse, with the name that was probably meant. \
            Otherwise it prints the settings, and names the keys that have no meaning.
            """)

    @Argument(help: "The file. (default: /etc/dmlayer/config.json)")
    var file: String?

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let path = file ?? options.config ?? GlobalOptions.defaultConfiguration
        let configuration = try DaemonConfiguration(reading: FilePath(path))
        #if Daemon
        if let address = configuration.metricsAddress {
            _ = try MetricsAddress(parsing: address, allowsRemote: configuration.metricsAllowRemote)
        }
        #endif
        let report = Report(
            root: try configuration.storeRoot()?.string, configuration,
            try StorageOptions(parsing: configuration.storageOptions))
        try options.output.print(json: report, text: report.text)
    }

    private struct Report: Encodable {
        let root: String?
        let storageOptions: [String]
        let socket: String?
        let metricsSocket: String?
        let metricsAddress: String?
        let metricsAllowRemote: Bool
        let remapsIDs: Bool
        let spaceView: String?
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
            spaceView = configuration.spaceView?.string
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
            case spaceView = "space_view"
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
            if let spaceView { rows.append(["space-view:", spaceView]) }
            rows += unknownKeys.map { ["\($0):", "has no meaning for Docker or dmlayer"] }
            rows += optionsWithoutEffect.map { ["\($0):", "has no effect here"] }
            return Columns.aligned(rows)
        }
    }
}
