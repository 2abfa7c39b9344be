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
                + "metrics-socket, metrics-address, metrics-allow-remote and remap-ids. A value on the command line "
                + "takes precedence.", valueName: "file"))
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

    /// The content of the configuration file; `nil` where none was named.
    func configuration() throws -> DaemonConfiguration? {
        try config.map { try DaemonConfiguration(reading: FilePath($0)) }
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
            Output.note("“\(key)” in \(config ?? "") means nothing, neither to Docker nor here")
        }
        let options = try StorageOptions(parsing: (configuration?.storageOptions ?? []) + storageOptions)
        for option in options.withoutEffect {
            Output.note("\(option) has no effect: there is no libdm and no udev here, and no warning of loop devices")
        }
        return options
    }
}
