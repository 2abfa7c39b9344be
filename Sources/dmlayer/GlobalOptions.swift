internal import ArgumentParser
internal import SystemCalls
internal import LayerStore
internal import SystemPackage

/// The options of every command about a store; they may stand before its name and behind it.
struct GlobalOptions: ParsableArguments {
    @Option(
        name: .customLong("root"),
        help: ArgumentHelp(
            "The root of the store: Docker's is /var/lib/docker/devicemapper. (default: /var/lib/dmlayer)",
            valueName: "directory"))
    var givenRoot: String?

    @Option(
        help: ArgumentHelp(
            "A file like Docker's daemon.json. The command reads its keys storage-opts, data-root, root, socket, "
                + "metrics-socket, metrics-address, metrics-allow-remote, remap-ids and space-view. A value on the command line "
                + "takes precedence. (default: /etc/dmlayer/config.json, if it is there and --root is not given)",
            valueName: "file"))
    var config: String?

    @Option(
        name: .customLong("storage-opt"),
        help: ArgumentHelp("An option of Docker's devicemapper driver; may be repeated.", valueName: "key=value"))
    var storageOptions: [String] = []

    @Flag(
        name: .customLong("read-only"),
        help: "Write nothing to the store, not even to its pool's metadata; layers are mounted below /run/dmlayer.")
    var isReadOnly = false

    @Option(
        help: ArgumentHelp(
            "How many seconds to wait for other operations on the store, all waits together. (default: 30)",
            valueName: "seconds"))
    var patience: Timeout?

    @OptionGroup var printing: OutputOptions

    /// Where the result goes.
    var output: Output { printing.output }

    /// The file that commands read where neither a configuration file nor a store is named.
    static let defaultConfiguration = "/etc/dmlayer/config.json"

    /// The path of the configuration file; `nil` when none is named and there is no default one.
    ///
    /// The default file describes the store of the host, so that it says nothing of a store that `--root` names.
    private var configurationPath: String? {
        if let config { return config }
        guard givenRoot == nil, unsafe access(Self.defaultConfiguration, F_OK) == 0 else { return nil }
        return Self.defaultConfiguration
    }

    /// The content of the configuration file, if there is one.
    func configuration() throws -> DaemonConfiguration? {
        try configurationPath.map { try DaemonConfiguration(reading: FilePath($0)) }
    }

    /// The root of the store as an absolute path, so that it means the same wherever it is written.
    func rootPath() throws -> FilePath {
        let path = try givenRoot.map { FilePath($0) } ?? configuration()?.storeRoot() ?? "/var/lib/dmlayer"
        guard !path.isEmpty else { throw Failure("--root is empty; name a directory") }
        guard path.isRelative else { return path }
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        guard let directory = unsafe getcwd(&buffer, buffer.count) else {
            throw Failure("cannot find the working directory; name --root with an absolute path")
        }
        return FilePath(unsafe String(cString: directory)).pushing(path)
    }

    /// Opens the store.
    func openStore() throws -> LayerStore {
        try LayerStore(
            opening: rootPath(), options: allStorageOptions(), access: isReadOnly ? .readOnly : .readWrite,
            removals: .beforeReturning, patience: patience?.duration ?? .seconds(30))
    }

    /// The storage options of the configuration file, and then those of the command line.
    func allStorageOptions() throws -> StorageOptions {
        let configuration = try configuration()
        for key in configuration?.unknownKeys ?? [] {
            Output.note("“\(key)” in \(configurationPath ?? "") means nothing, neither to Docker nor here")
        }
        let options = try StorageOptions(parsing: (configuration?.storageOptions ?? []) + storageOptions)
        for option in options.withoutEffect {
            Output.note("\(option) has no effect: there is no libdm and no udev here, and no warning of loop devices")
        }
        return options
    }
}
