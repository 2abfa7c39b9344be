internal import ArgumentParser
internal import DeviceMapper

/// The command `dm targets`.
struct DMTargets: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "targets",
        abstract: "List the targets of the kernel with their versions.",
        discussion: """
            Without a name these are the targets whose modules are loaded. A target that is named is looked for \
            among all modules, and its module is loaded.
            """)

    @Argument(help: "Targets to look for.")
    var target: [String] = []

    @OptionGroup var options: OutputOptions

    private struct Record: Encodable {
        let name: String
        let version: String

        init(_ target: TargetVersion) {
            name = target.name
            version = target.version.description
        }

        var text: String {
            "\(name.padded(16)) v\(version)"
        }
    }

    func run() throws {
        let control = try Control()
        let versions =
            target.isEmpty ? try control.targetVersions() : try target.map { try control.targetVersion(of: $0) }
        let records = versions.map(Record.init)
        try options.output.print(json: records, text: records.map(\.text).joined(separator: "\n"))
    }
}
