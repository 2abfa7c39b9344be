internal import ArgumentParser
internal import LayerStore
internal import SystemPackage
internal import ThinProvisioning

/// The command `metadata check`.
struct MetadataCheck: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check whether a pool's metadata holds together, and every reference count in it.",
        discussion: """
            The exit status is 0 when there is nothing but notes, 2 when something is wrong, and 1 when the metadata \
            cannot be read at all. Of a snapshot of the metadata, reference counts cannot be checked.
            """)

    @Flag(name: .customLong("superblock-only"), help: "Check only the superblock.")
    var isSuperblockOnly = false

    @Flag(name: .customLong("skip-mappings"), help: "Check the devices, and neither their mappings nor any counts.")
    var skipsMappings = false

    @Flag(
        name: .customLong("clear-needs-check"),
        help: "Take away the mark that the metadata must be checked, if nothing is wrong; the pool must not be active.")
    var clearsNeedsCheck = false

    @OptionGroup var source: MetadataSource

    private static let hasFindings = ExitCode(2)

    func run() throws {
        let level: ThinMetadataCheck.Level = isSuperblockOnly ? .superblock : skipsMappings ? .devices : .full
        var (report, layers) = try source.read { metadata, layers in
            (try ThinMetadataCheck.report(on: metadata, level: level), layers)
        }
        if clearsNeedsCheck, let path = source.source, report.superblock.needsCheck, report.canClearNeedsCheck {
            report = try cleared(FilePath(path))
        }
        try source.output.print(json: json(report, layers), text: text(report, layers))
        if let severity = report.severity, severity > .note { throw Self.hasFindings }
    }

    func validate() throws {
        guard !clearsNeedsCheck || !(isSuperblockOnly || skipsMappings || source.isSnapshot) else {
            throw ValidationError("--clear-needs-check needs a whole check; leave the other options out.")
        }
        guard !clearsNeedsCheck || source.source != nil else {
            throw ValidationError("--clear-needs-check needs SOURCE; “dmlayer pool status” names the metadata device.")
        }
    }

    /// Takes the mark away.
    ///
    /// The metadata is checked once more while nothing else can change it.
    private func cleared(_ path: FilePath) throws -> ThinMetadataReport {
        try MetadataOutputCheck.requireUnused(path)
        _ = try MetadataReplacement.clearNeedsCheck(of: path) { _ in
            guard try checked().canClearNeedsCheck else {
                throw Failure("the metadata has changed since it was checked")
            }
        }
        return try checked()
    }

    private func checked() throws -> ThinMetadataReport {
        try source.read { metadata, _ in try ThinMetadataCheck.report(on: metadata) }
    }

    private func text(_ report: ThinMetadataReport, _ layers: [ThinDeviceID: LayerID]) -> String {
        var lines: [String] = []
        for finding in report.findings {
            lines.append("\(finding.severity.rawValue): \(finding.message)\(devices(finding, layers))")
            if let advice = finding.advice { lines.append("  \(advice)") }
        }
        let count = report.deviceCount
        let verdict = (report.severity ?? .note) > .note ? "" : "; nothing is wrong"
        if !isSuperblockOnly, !skipsMappings, !report.hasCounts {
            lines.append("note: a snapshot of the metadata has no reference counts, so that none were checked")
        }
        lines.append(
            isSuperblockOnly
                ? "the superblock was read\(verdict)"
                : "\(count) thin devices, \(report.nodeCount) nodes of mappings\(verdict)")
        return lines.joined(separator: "\n")
    }

    private func devices(_ finding: ThinMetadataFinding, _ layers: [ThinDeviceID: LayerID]) -> String {
        guard !finding.devices.isEmpty else { return "" }
        let shown = finding.devices.prefix(10).map { $0.description(among: layers) }.joined(separator: ", ")
        let more = finding.devices.count > 10 ? " and \(finding.devices.count - 10) more" : ""
        return "; it hits device \(shown)\(more)"
    }

    private func json(_ report: ThinMetadataReport, _ layers: [ThinDeviceID: LayerID]) -> JSONValue {
        .object([
            "clean": .bool((report.severity ?? .note) == .note),
            "findings": .list(
                report.findings.map { finding in
                    .object([
                        "kind": .text(finding.kind.rawValue), "severity": .text(finding.severity.rawValue),
                        "message": .text(finding.message), "advice": finding.advice.map { .text($0) },
                        "devices": .list(finding.devices.map { .number(UInt64($0.value)) }),
                        "layers": .list(finding.devices.compactMap { layers[$0].map { .text($0.text) } }),
                    ])
                }),
            "thin_devices": .number(UInt64(report.deviceCount)), "nodes": .number(UInt64(report.nodeCount)),
            "has_counts": .bool(report.hasCounts), "needs_check": .bool(report.superblock.needsCheck),
            "free_metadata_blocks": .number(report.freeMetadataBlocks),
        ])
    }
}
