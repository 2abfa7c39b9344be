internal import ArgumentParser
internal import Glibc
internal import LayerStore
internal import SystemPackage

/// The options of every command; they may stand before its name and behind it.
struct GlobalOptions: ParsableArguments {
    @Option(
        name: .long,
        help: ArgumentHelp("The root of the store: Docker's is /var/lib/docker/devicemapper.", valueName: "directory"))
    var root = "/var/lib/dmlayer"

    @Option(
        help: ArgumentHelp("A daemon.json of Docker's, whose storage-opts are used as well.", valueName: "file"))
    var config: String?

    @Option(
        name: .customLong("storage-opt"),
        help: ArgumentHelp("An option of Docker's devicemapper driver; may be repeated.", valueName: "key=value"))
    var storageOptions: [String] = []

    @Flag(name: .customLong("json"), help: "Print the result as JSON.")
    var isJSON = false

    /// Where the result goes.
    var output: Output { Output(isJSON: isJSON) }

    /// The root of the store as an absolute path, so that it means the same wherever it is written.
    func rootPath() throws -> FilePath {
        let path = FilePath(root)
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
        try LayerStore(opening: rootPath(), options: allStorageOptions())
    }

    /// The storage options of the configuration file, and then those of the command line.
    func allStorageOptions() throws -> StorageOptions {
        let configured = try config.map { try DaemonConfiguration(reading: FilePath($0)).storageOptions } ?? []
        return try StorageOptions(parsing: configured + storageOptions)
    }
}
