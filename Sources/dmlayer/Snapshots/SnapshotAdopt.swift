#if Daemon
internal import ArgumentParser
internal import ContainerdSnapshotter
internal import DeviceMapper
internal import LayerStore
internal import SystemPackage
internal import ThinProvisioning

/// The command `snapshot adopt`.
struct SnapshotAdopt: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adopt",
        abstract: "Take over the snapshots of containerd's own devmapper snapshotter, with their pool.",
        discussion: """
            It makes the store, with a layer for each snapshot, on the devices that the snapshots have: nothing is copied, and \
            nothing is changed in the pool or in containerd's files. Stop containerd and its containers first. Until \
            the service makes or removes something, containerd can go on with its own snapshotter as before.
            """)

    @Option(help: ArgumentHelp("The pool: pool_name in containerd's configuration.", valueName: "name"))
    var pool: String

    @Option(
        help: ArgumentHelp(
            "The folder of the snapshotter: root_path in containerd's configuration. (default: "
                + "\(DevmapperAdoption.usualFolder))", valueName: "directory"))
    var from: String?

    @Flag(name: .customLong("dry-run"), help: "Print the plan, and change nothing.")
    var isDryRun = false

    @Flag(
        name: .customLong("leave-out"),
        help: "Leave out the snapshots that cannot be taken over, and all that were made from them.")
    var leavesOut = false

    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard !options.isReadOnly else {
            throw ValidationError(
                "adopt makes a store; --read-only is for commands that only look, and --dry-run shows the plan")
        }
        guard !pool.isEmpty else { throw ValidationError("--pool is empty; name the pool") }
    }

    func run() throws {
        let root = try options.rootPath()
        let adoption = try DevmapperAdoption(
            from: from.map { FilePath($0) } ?? DevmapperAdoption.usualFolder, pool: pool,
            options: options.allStorageOptions())
        let plan = adoption.plan
        if isDryRun {
            try options.output.print(json: AdoptionJSON(root, adoption, removed: nil), text: text(adoption))
            return
        }
        guard plan.refusals.isEmpty || leavesOut else {
            throw Failure(
                "cannot take over the snapshots of the pool \(adoption.pool.name): "
                    + plan.refusals.map { "“\($0.key)”: \($0.reason)" }.joined(separator: "; ")
                    + ". Start containerd and remove them with “ctr --namespace NAMESPACE snapshots --snapshotter devmapper rm NAME”, "
                    + "where a key is NAMESPACE/NUMBER/NAME, or leave them out with --leave-out. Nothing was changed")
        }
        let removed = try adoption.carryOut(in: root)
        for refusal in plan.refusals { Output.note("left out: “\(refusal.key)”: \(refusal.reason)") }
        for device in plan.unclaimed { Output.note(Self.sentence(device)) }
        if !removed.isEmpty {
            Output.note(
                "removed containerd's mapped devices, in whose place the service activates its own: "
                    + removed.joined(separator: ", "))
        }
        Output.note(
            "before containerd uses the service, put the copy of “dmlayer snapshot rename” in the place of meta.db: with the old "
                + "one, containerd removes these snapshots")
        try options.output.print(
            json: AdoptionJSON(root, adoption, removed: removed),
            text: "\(root) has \(plan.layers.count) snapshots of the pool \(adoption.pool.name)")
    }

    private func text(_ adoption: DevmapperAdoption) -> String {
        let plan = adoption.plan
        let rows: [[String]] = plan.layers.map { layer in
            [
                layer.record.snapshot?.key ?? "", layer.record.snapshot?.kind.rawValue ?? "", layer.id.text,
                layer.record.deviceID.description,
            ]
        }
        return
            ([Columns.aligned([["KEY", "KIND", "LAYER", "DEVICE ID"]] + rows)]
            + plan.refusals.map { "cannot be taken over: “\($0.key)”: \($0.reason)" }
            + plan.unclaimed.map(Self.sentence)
            + adoption.formerDevices.map { device in
                "the mapped device \(device.name) will be removed" + (device.openCount > 0 ? ", and it is in use" : "")
            })
            .joined(separator: "\n")
    }

    private static func sentence(_ device: AdoptionPlan.Unclaimed) -> String {
        "the thin device \(device.number)\(device.known.map { " (\($0))" } ?? "") has no snapshot, and stays as it is"
    }
}

/// The plan, or what was done, as `snapshot adopt` prints it in JSON.
private struct AdoptionJSON: Encodable {
    let root: String
    let pool: String
    let filesystem: String
    let layers: [LayerJSON]
    let refused: [Refused]
    let unclaimed: [Unclaimed]
    let devices: [String]
    let done: Bool

    struct Refused: Encodable {
        let key: String
        let reason: String
    }

    struct Unclaimed: Encodable {
        let number: UInt32
        let known: String?

        enum CodingKeys: String, CodingKey {
            case number = "device_id"
            case known
        }
    }

    /// - Parameter removed: The mapped devices that were removed; `nil` for a plan.
    init(_ root: FilePath, _ adoption: DevmapperAdoption, removed: [String]?) {
        self.root = root.string
        pool = adoption.pool.name
        filesystem = adoption.plan.filesystem.rawValue
        layers = adoption.plan.layers.map { LayerJSON($0.id, $0.record, nil) }
        refused = adoption.plan.refusals.map { Refused(key: $0.key, reason: $0.reason) }
        unclaimed = adoption.plan.unclaimed.map { Unclaimed(number: $0.number.value, known: $0.known) }
        devices = removed ?? adoption.formerDevices.map(\.name.description)
        done = removed != nil
    }
}
#endif
