#if Daemon
internal import ArgumentParser
internal import ContainerdSnapshotter
internal import LayerStore
internal import Logging
internal import SystemPackage

/// The command `serve`.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Serve the layers to containerd as a snapshotter.",
        discussion: """
            It makes the store first if there is none. It runs until SIGTERM, and then answers the calls that are under way; mounts \
            stay, and the next start continues with them. When the socket is ready, the \
            service notifies systemd (Type=notify). It takes a socket from systemd (dmlayer-snapshotter.socket), which then \
            refuses no client while the service is started again.
            """)

    @Option(
        help: ArgumentHelp(
            "Where containerd finds the service. (default: /run/dmlayer/snapshotter.sock)", valueName: "path"))
    var socket: String?

    @Option(
        name: .customLong("metrics-socket"),
        help: ArgumentHelp(
            "A second socket, with figures over HTTP for root and the user of the service.", valueName: "path"))
    var metricsSocket: String?

    @Option(
        name: .customLong("metrics-address"),
        help: ArgumentHelp(
            "Where Prometheus gets the figures over HTTP, such as 127.0.0.1:9756; without this option, nothing listens.",
            valueName: "address:port"))
    var metricsAddress: String?

    @Flag(
        name: .customLong("metrics-allow-remote"),
        help: "Take an address for --metrics-address that other machines can reach.")
    var metricsAllowRemote = false

    @Flag(
        name: .customLong("remap-ids"),
        help: ArgumentHelp(
            "Containers in user namespaces get id-mapped mounts. Only for containerd 2, whose configuration has the capability "
                + "remap-ids for this service."))
    var remapsIDs = false

    @Option(
        name: .customLong("space-view"),
        help: ArgumentHelp(
            "A directory that shows the pool's size and use to programs that know file systems only, such as the kubelet: a small "
                + "ext4 is mounted there.", valueName: "directory"))
    var spaceView: String?

    @Flag(help: "Log each call on standard error, not only failures; in JSON with --json.")
    var verbose = false

    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard !options.isReadOnly else {
            throw ValidationError("a service makes and removes layers; --read-only is for commands that only look")
        }
        if let spaceView, !spaceView.hasPrefix("/") {
            throw ValidationError("--space-view is “\(spaceView)” and not an absolute path")
        }
    }

    func run() throws {
        SnapshotterServer.blockSignals()
        let configuration = try options.configuration()
        let address = try (metricsAddress ?? configuration?.metricsAddress).map {
            try MetricsAddress(
                parsing: $0, allowsRemote: metricsAllowRemote || configuration?.metricsAllowRemote == true)
        }
        let output = ServiceLog(isJSON: options.output.isJSON, isVerbose: verbose)
        defer { output.flush() }
        let log = output.logger
        var storageOptions = try options.allStorageOptions()
        // Its layers go to guests, which may read every byte of their devices.
        storageOptions.zeroesNewBlocksByDefault = true
        let store = try LayerStore.initialize(
            options.rootPath(), options: storageOptions, note: { log.warning("\($0)") })
        if let warning = try store.poolReport().zeroingWarning { log.warning("\(warning)") }
        let snapshotter = try Snapshotter(store, mapsOwners: remapsIDs || configuration?.remapsIDs == true)
        for file in snapshotter.damaged {
            log.error(
                "a layer's file cannot be understood, and may be a snapshot", metadata: ["file": "\(file)"])
        }
        let socket = socket.map { FilePath($0) } ?? configuration?.socket ?? "/run/dmlayer/snapshotter.sock"
        let server = try SnapshotterServer(
            snapshotter, socket: socket,
            metricsSocket: metricsSocket.map { FilePath($0) } ?? configuration?.metricsSocket, metricsAddress: address,
            log: log)
        if let spaceView = spaceView.map({ FilePath($0) }) ?? configuration?.spaceView {
            SpaceFollower(at: spaceView, of: store, log: log).start()
        }
        log.info(
            "the service is ready",
            metadata: ["socket": "\(server.socket)", "root": "\(store.root)", "snapshots": "\(snapshotter.count)"])
        server.run()
    }
}
#endif
