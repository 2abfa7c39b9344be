internal import ArgumentParser
internal import DeviceMapper
internal import LayerStore
internal import SystemPackage
internal import ThinProvisioning

/// The command `pool monitor`.
struct PoolMonitorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "monitor",
        abstract: "Watch the pool and make it larger before it is full.",
        discussion: """
            The monitor acts when the kernel reports that the pool needs space, looks at the pool every ten seconds as well, \
            and prints one line for each event, in JSON with --json. \
            It makes a pool of LVM's larger from the free extents of the volume group; the threshold and the percentage are \
            those of the pool's profile or of lvm.conf. It makes a pool on files of the store larger by 20 % from 80 % on, \
            as far as the disk has room. A pool on other devices is only watched.
            """)

    @Option(help: ArgumentHelp("Make the pool larger from this use on instead; 100 is never.", valueName: "percent"))
    var threshold: Int?

    @Option(help: ArgumentHelp("Make it larger by this share of its size instead.", valueName: "percent"))
    var percent: Int?

    @Option(help: ArgumentHelp("Never make the store's data file larger than this.", valueName: "size"))
    var limit: String?

    @Option(help: ArgumentHelp("Keep metrics for Prometheus in this file.", valueName: "file"))
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
            throw ValidationError("--limit \(limit) is not a size; write a number with k, m, g or t behind it")
        }
    }

    func run() throws {
        let output = options.output
        let source = try source()
        let pool = source.name.description
        let hook = hook.map { PoolHook(FilePath($0)) }
        let metrics = metrics.map { PoolMetricsFile(FilePath($0), pool: pool) }
        let settings = PoolMonitorSettings(
            threshold: threshold ?? source.settings.threshold, percent: percent ?? source.settings.percent)
        let monitor = try PoolMonitor(Control(), source, settings: settings) { state in
            metrics?.note(state)
        } report: { event in
            // A reader of the output that has gone must not keep the pool from growing.
            try? output.printLine(
                json: PoolEventJSON(event, pool: pool), text: "\(event.kind.rawValue): \(event.message)")
            metrics?.note(event)
            do {
                try hook?.run(event, pool: pool)
            } catch {
                Output.note("cannot run \(self.hook ?? ""): \(error)")
            }
        }
        try monitor.run()
    }

    private func source() throws -> PoolGrowthSource {
        if let volume = try selection.volumeIfAny(options) { return try PoolGrowthSource(volume: volume) }
        return try options.openStore().growthFromFiles(limit: limit.flatMap { ByteSize.parse($0) })
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

    init(_ event: PoolEvent, pool: String) {
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
