internal import ArgumentParser
internal import DeviceMapper

/// The command `dm version`.
struct DMVersion: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "version",
        abstract: "Print the version of the kernel's device mapper interface.")

    @OptionGroup var options: OutputOptions

    func run() throws {
        let version = try Control().version().description
        try options.output.print(
            json: ["driver_version": version],
            text: "Driver version:    \(version)")
    }
}
