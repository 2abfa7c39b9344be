#if Daemon
internal import ArgumentParser
internal import ContainerdSnapshotter
internal import LayerStore
internal import SystemPackage

/// The command `serve`.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve the layers to containerd as a snapshotter.",
        discussion: """
            It makes the store first if there is none. It runs until SIGTERM, and then answers the calls that are under way; what \
            is mounted stays mounted, and another start goes on with it. Who starts it is told when the socket is there, by \
            the protocol of systemd (Type=notify).
            """)

    @Option(
        help: ArgumentHelp(
            "Where containerd finds the service. (default: /run/dmlayer/snapshotter.sock)", valueName: "path"))
    var socket: String?

    @Option(
        name: .customLong("metrics-socket"),
        help: ArgumentHelp("A second socket, with figures for Prometheus over HTTP.", valueName: "path"))
    var metricsSocket: String?

    @Flag(help: "Say each call on standard error, not only what fails; in JSON with --json.")
    var verbose = false

    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard !options.isReadOnly else {
            throw ValidationError("a service makes and removes layers; --read-only is for commands that only look")
        }
    }

    func run() throws {
        SnapshotterServer.blockSignals()
        let log = ServiceLog(isJSON: options.output.isJSON, isVerbose: verbose)
        var storageOptions = try options.allStorageOptions()
        // Its layers go to guests, which may read every byte of their devices.
        storageOptions.zeroesNewBlocksByDefault = true
        let store = try LayerStore.initialize(
            options.rootPath(), options: storageOptions, note: { log.note($0, level: "warning") })
        if let warning = try store.poolReport().zeroingWarning { log.note(warning, level: "warning") }
        let snapshotter = try Snapshotter(store)
        for file in snapshotter.damaged {
            log.note(
                "a layer's file cannot be understood, and may be a snapshot", level: "error",
                [(name: "file", value: file)])
        }
        let configuration = try options.configuration()
        let socket = socket.map { FilePath($0) } ?? configuration?.socket ?? "/run/dmlayer/snapshotter.sock"
        let server = try SnapshotterServer(
            snapshotter, socket: socket,
            metricsSocket: metricsSocket.map { FilePath($0) } ?? configuration?.metricsSocket, log: log)
        log.note(
            "the service is ready",
            [
                (name: "socket", value: socket.string), (name: "root", value: store.root.string),
                (name: "snapshots", value: String(snapshotter.count)),
            ])
        try server.run()
    }
}
#endif
