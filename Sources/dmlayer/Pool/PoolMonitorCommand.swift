internal import ArgumentParser
internal import DeviceMapper
internal import LayerStore
internal import LogicalVolumes
internal import SystemPackage
internal import ThinProvisioning

/// The command `pool monitor`.
struct PoolMonitorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "monitor",
        abstract: "Watch the pool and make it larger before it is full.",
        discussion: """
            It sleeps until the kernel reports something, and prints what happens: a line for each event, in JSON with \
            --json. A pool of LVM's is made larger from the free extents of its volume group, by the percentage and from the \
            threshold on that its profile or lvm.conf says. A pool on files of the store is made larger from 80 % on by 20 %, as \
            far as the disk has room for it. A pool on other devices is watched only.
            """)

    @Option(help: ArgumentHelp("Make it larger from this use on instead; 100 is never.", valueName: "percent"))
    var threshold: Int?

    @Option(help: ArgumentHelp("By how much of its size instead.", valueName: "percent"))
    var percent: Int?

    @Option(help: ArgumentHelp("Never make the store's data file larger than this.", valueName: "size"))
    var limit: String?

    @Option(help: ArgumentHelp("Keep figures for Prometheus in a file.", valueName: "file"))
    var metrics: String?

    @Option(
        help: ArgumentHelp(
            "Run a program at each event, with the kind of the event, the pool and the message.", valueName: "program"))
    var hook: String?

    @OptionGroup var selection: PoolVolume

    @OptionGroup var options: GlobalOptions

    func validate() throws {
        guard (1...100).contains(threshold ?? 80), (1...1000).contains(percent ?? 20) else {
            throw ValidationError("--threshold is a percentage, and --percent one from 1 to 1000.")
        }
        if let limit, ByteSize.parse(limit) == nil {
            throw ValidationError("--limit \(limit) is no size; write a number with k, m, g or t behind it")
        }
    }

    func run() throws {
        let control = try Control()
        let output = options.output
        let hook = hook.map { PoolHook(FilePath($0)) }
        let source = try source()
        let name = try DeviceName(existing: source.name)
        let metrics = metrics.map { PoolMetricsFile(FilePath($0), pool: name.description) }
        let percent = percent ?? source.settings.percent
        let monitor = try PoolMonitor(control, name, threshold: threshold ?? source.settings.threshold) { need in
            try source.extend(by: percent, need, control)
        } withPoolTable: {
            try source.withPoolTable($0)
        } report: { event in
            try? output.printLine(
                json: PoolEventJSON(event, pool: name.description), text: "\(event.kind.rawValue): \(event.message)")
            metrics?.note(event)
            hook?.run([event.kind.rawValue, name.description, event.message])
        }
        try monitor.run()
    }

    private func source() throws -> PoolGrowthSource {
        if let volume = try selection.volumeIfAny(options) { return .volume(volume, try volume.read().settings) }
        let store = try options.openStore()
        return .store(store, name: try store.poolReport().name, limit: limit.flatMap { ByteSize.parse($0) })
    }
}

/// An event in JSON.
struct PoolEventJSON: Encodable {
    let time: Int64
    let event: String
    let pool: String
    let message: String
    let mode: String?
    let dataUsed: UInt64?
    let dataTotal: UInt64?
    let metadataUsed: UInt64?
    let metadataTotal: UInt64?

    init(_ event: PoolMonitor.Event, pool: String) {
        time = event.time
        self.event = event.kind.rawValue
        self.pool = pool
        message = event.message
        mode = event.state?.mode.rawValue
        dataUsed = event.state?.data.usedBytes
        dataTotal = event.state?.data.totalBytes
        metadataUsed = event.state?.metadata.usedBytes
        metadataTotal = event.state?.metadata.totalBytes
    }

    enum CodingKeys: String, CodingKey {
        case time
        case event
        case pool
        case message
        case mode
        case dataUsed = "data_used"
        case dataTotal = "data_total"
        case metadataUsed = "metadata_used"
        case metadataTotal = "metadata_total"
    }
}
