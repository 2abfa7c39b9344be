#if Daemon
internal import ArgumentParser
internal import ContainerdSnapshotter
internal import LayerStore
internal import SystemPackage

/// The command `ping`.
struct Ping: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ping",
        abstract: "Ask the service whether it answers calls.",
        discussion: """
            It is for probes: the exit status is 0 when the service has answered, and 1 when nothing listens at the \
            socket or no answer has come in time. It does not look at the store; “pool status” does. The call is Check \
            of gRPC's health checking protocol, which other probes can send too.
            """)

    @Option(
        help: ArgumentHelp(
            "The socket of the service. (default: /run/dmlayer/snapshotter.sock)", valueName: "path"))
    var socket: String?

    @Option(help: ArgumentHelp("How long to wait for the answer. (default: 5)", valueName: "seconds"))
    var timeout: Timeout?

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let path = try socket ?? options.configuration()?.socket?.string ?? "/run/dmlayer/snapshotter.sock"
        let start = ContinuousClock.now
        try ServicePing.call(FilePath(path), patience: timeout?.duration ?? .seconds(5))
        let milliseconds = Double(Int((ContinuousClock.now - start) / .microseconds(1))) / 1000
        try options.output.print(
            json: Report(socket: path, milliseconds: milliseconds),
            text: "the service at \(path) answered after \(milliseconds) ms")
    }

    private struct Report: Encodable {
        let socket: String
        let milliseconds: Double
    }
}
#endif
