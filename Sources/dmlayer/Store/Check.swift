internal import ArgumentParser
internal import LayerStore
internal import ThinProvisioning

/// The command `check`.
struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Compare the files of the store with its pool, and report what does not agree.",
        discussion: """
            Without --repair nothing is changed and nothing is activated; layers may be in use. The exit status is 0 when \
            there is nothing but information, 2 when an error or a warning is left, and 1 when the check itself failed, or \
            a repair that was asked for.

            --repair mends what needs no guess: what interrupted operations left behind, and thin devices that no layer \
            has. It waits for other operations that are running, activates the pool for as long as it needs it, and deletes \
            nothing while a metadata file cannot be understood. Read the report of “check” first.
            """)

    @Flag(help: "Mend what can be mended without guessing.")
    var repair = false

    @Option(
        help: ArgumentHelp(
            "Remove the metadata file of a layer whose thin device is lost; may be repeated.", valueName: "id"))
    var forget: [String] = []

    @Option(
        help: ArgumentHelp(
            "Make a thin device that no layer has the layer ID again; may be repeated.", valueName: "device=id"))
    var adopt: [String] = []

    @Option(
        help: ArgumentHelp(
            "Delete a thin device that no layer has, in a pool that somebody else made; may be repeated.",
            valueName: "device"))
    var delete: [String] = []

    @OptionGroup var options: GlobalOptions

    /// The exit status when the check has succeeded and found something that somebody has to see to.
    private static let hasFindings = ExitCode(2)

    func validate() throws {
        guard repair || forget.isEmpty && adopt.isEmpty && delete.isEmpty else {
            throw ValidationError("--forget, --adopt and --delete change the store; give --repair as well")
        }
        _ = try orders()
    }

    func run() throws {
        let root = try options.rootPath()
        let storage = try options.allStorageOptions()
        let report =
            repair
            ? try LayerStore.repair(root, options: storage, orders: orders())
            : try LayerStore.check(root, options: storage)
        for failure in report.failures { Output.error(failure) }
        try options.output.print(json: json(report), text: text(report))
        guard report.isClean else {
            let count = report.findings.count { $0.severity > .information }
            let mendable = report.findings.count(where: \.isRepairable)
            Output.note(
                "somebody has to see to \(count) of what was found"
                    + (repair ? "" : "; --repair mends \(mendable) of that"))
            throw report.failures.isEmpty ? Self.hasFindings : .failure
        }
    }

    private func text(_ report: StoreReport) -> String {
        let devices = report.thinDeviceCount.map { "\($0) thin devices" } ?? "an unknown number of thin devices"
        let pool = "the pool is \(report.isPoolActive ? "" : "not ")active and has \(devices)"
        return
            (report.repaired.map { "repaired: \($0.message)" } + report.findings.map(\.description)
            + ["\(report.layerCount) metadata files; \(pool)" + (report.isClean ? "; nothing is wrong" : "")])
            .joined(separator: "\n")
    }

    private func json(_ report: StoreReport) -> JSONValue {
        .object([
            "clean": .bool(report.isClean), "findings": .list(report.findings.map(json)),
            "repaired": .list(report.repaired.map(json)), "failures": .list(report.failures.map { .text($0) }),
            "layers": .number(UInt64(report.layerCount)),
            "thin_devices": report.thinDeviceCount.map { .number(UInt64($0)) },
            "pool_active": .bool(report.isPoolActive),
        ])
    }

    private func json(_ finding: StoreFinding) -> JSONValue {
        .object([
            "kind": .text(finding.kind.rawValue), "severity": .text(finding.severity.rawValue),
            "subject": .text(finding.subject), "message": .text(finding.message),
            "advice": finding.advice.map { .text($0) }, "repairable": .bool(finding.isRepairable),
        ])
    }

    private func orders() throws -> StoreRepairOrders {
        StoreRepairOrders(
            forgotten: try forget.map(layer),
            adopted: try adopt.map { text in
                let parts = text.split(separator: "=", maxSplits: 1)
                guard parts.count == 2 else {
                    throw ValidationError(
                        "“\(text)” is not of the form DEVICE=ID, the number of a thin device and an id")
                }
                return .init(try device(parts[0]), as: try layer(String(parts[1])))
            },
            deleted: try delete.map { try device($0[...]) })
    }

    private func layer(_ text: String) throws -> LayerID {
        if text == LayerID.base.text { return .base }
        do { return try LayerID(text) } catch { throw ValidationError("\(error)") }
    }

    private func device(_ text: Substring) throws -> ThinDeviceID {
        guard let id = UInt32(text).flatMap({ ThinDeviceID($0) }) else {
            throw ValidationError("“\(text)” is no number of a thin device: they go from 0 to \(ThinDeviceID.maximum)")
        }
        return id
    }
}
