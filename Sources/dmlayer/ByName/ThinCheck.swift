internal import SystemPackage
internal import ThinProvisioning

/// `thin_check`.
enum ThinCheck: ThinTool {
    static let name = "thin_check"
    static let about = "Validates thin provisioning metadata on a device or file."
    static let options = [
        ToolOption.input("Specify the input device to check"),
        ToolOption(
            name: "auto-repair", help: "Auto repair trivial issues.",
            excluded: [
                "ignore-non-fatal-errors", "metadata-snap", "override-details-root", "override-mapping-root",
                "skip-mappings", "super-block-only",
            ]),
        ToolOption(
            name: "clear-needs-check-flag", help: "Clears the 'needs_check' flag in the superblock",
            excluded: ["metadata-snap", "override-details-root", "override-mapping-root"]),
        ToolOption(
            name: "ignore-non-fatal-errors", help: "Only return a non-zero exit code if a fatal error is found."),
        ToolOption(name: "metadata-snap", short: "m", help: "Check the metadata snapshot on a live pool"),
        ToolOption(name: "override-details-root", value: "BLOCKNR", help: "Specify a details root to use"),
        ToolOption(name: "override-mapping-root", value: "BLOCKNR", help: "Specify a mapping root to use"),
        ToolFiles.quiet,
        ToolOption(name: "skip-mappings", help: "Don't check the mapping tree"),
        ToolOption(name: "super-block-only", help: "Only check the superblock."),
    ]

    static func run(_ arguments: ToolArguments) throws {
        let level: ThinMetadataCheck.Level =
            arguments.has("super-block-only") ? .superblock : arguments.has("skip-mappings") ? .devices : .full
        let roots: (details: UInt64?, mappings: UInt64?) = (
            try arguments.number("override-details-root"), try arguments.number("override-mapping-root")
        )
        let metadata = try ToolInput.open(arguments, heldRoot: arguments.has("metadata-snap") ? .held : .none)
        let report = try ThinMetadataCheck.report(
            on: metadata, level: level, detailsRoot: roots.details, mappingRoot: roots.mappings)
        if !arguments.has("quiet") { try show(report, level) }
        let mends = arguments.has("auto-repair") || arguments.has("clear-needs-check-flag")
        guard isAccepted(report, arguments, mends: mends) else { throw ToolStatus(value: 64) }
        if mends { try mend(ToolInput.path(arguments), report) }
    }

    /// Whether the status is 0: blocks that nothing uses any more are given back, or ignored, and a count that is wrong in
    /// another way never is.
    private static func isAccepted(_ report: ThinMetadataReport, _ arguments: ToolArguments, mends: Bool) -> Bool {
        switch report.severity ?? .note {
        case .note: true
        case .minor:
            report.overcounted == 0
                && (arguments.has("ignore-non-fatal-errors") || (mends && report.hasOnlyLeaks))
        case .damage: false
        }
    }

    /// Gives back the blocks that nothing uses, and takes the mark `needs_check` away.
    private static func mend(_ path: FilePath, _ report: ThinMetadataReport) throws {
        guard report.hasLeaks || report.superblock.needsCheck else { return }
        try MetadataOutputCheck.requireUnused(path)
        if report.hasLeaks {
            // The trees are whole, so the copy has all that they have, with the counts that they give, and without the mark.
            _ = try MetadataReplacement.repair(path, backup: nil, ThinMetadataRepair(path))
            return
        }
        // The device is claimed by now, and may have changed between the check and that.
        _ = try MetadataReplacement.clearNeedsCheck(of: path) { _ in
            let now = try ThinPoolMetadata(reading: ThinMetadataDevice(path)).superblock
            guard now == report.superblock else { throw Failure("the metadata has changed since it was checked") }
        }
    }

    private static func show(_ report: ThinMetadataReport, _ level: ThinMetadataCheck.Level) throws {
        try print(
            "TRANSACTION_ID=\(report.superblock.transactionID)\nMETADATA_FREE_BLOCKS=\(report.freeMetadataBlocks)\n")
        let findings = report.findings.filter { $0.severity > .note }.map(\.message)
        for line in steps(level) + findings { complain("\(line)\n") }
    }

    /// The parts of the check, as thin_check names them.
    private static func steps(_ level: ThinMetadataCheck.Level) -> [String] {
        switch level {
        case .superblock: []
        case .devices: ["Checking thin metadata", "device details tree"]
        case .full:
            ["Checking thin metadata", "device details tree", "mapping tree", "data space map", "metadata space map"]
        }
    }
}
