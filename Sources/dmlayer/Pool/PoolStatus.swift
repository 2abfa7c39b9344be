internal import ArgumentParser
internal import LayerStore
internal import SystemPackage
internal import ThinProvisioning

/// The command `pool status`.
struct PoolStatus: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Say how the pool is, and what to do about it.",
        discussion: """
            Nothing is committed in the pool. Problems are listed with the commands that mend them; the command itself \
            succeeds all the same, so that a script looks at the list. In JSON, sizes are in bytes. A pool that is not \
            active is activated, but not with --watch.
            """)

    @OptionGroup var watch: WatchOption
    @OptionGroup var options: GlobalOptions

    func run() throws {
        try watch.run(options.output) { output in
            let report = try options.openStore().poolReport(activating: watch.interval == nil)
            try output.print(json: json(report), text: text(report))
        }
    }

    private func json(_ report: PoolReport) -> JSONValue {
        .object([
            "name": .text(report.name), "device": report.device.map { .text($0) },
            "mode": .text(report.condition.rawValue), "suspended": .bool(report.isSuspended),
            "needs_check": .bool(report.needsCheck), "read_only_by_request": .bool(report.isReadOnlyByRequest),
            "refusal": report.refusal.map { .text($0) }, "block_size": .number(report.blockSize),
            "data": json(report.data), "metadata": json(report.metadata),
            "low_water_mark": report.lowWaterMark.map { .number($0) },
            "min_free_space_percent": .number(UInt64(report.minimumFreeSpacePercent)),
            "error_if_no_space": .bool(report.errorIfNoSpace),
            "zero_new_blocks": .bool(report.zeroesNewBlocks),
            "no_space_timeout": report.noSpaceTimeout.map { .number($0) },
            "discards": report.discards.map { .text($0.rawValue) },
            "thin_devices": .number(UInt64(report.deviceCount)),
            "snapshots_made": report.snapshotCount.map { .number(UInt64($0)) },
            "volume_group": PoolVolumeGroup(report)?.json,
            "problems": .list(report.problems.map(json)),
        ])
    }

    private func json(_ space: PoolReport.Space) -> JSONValue {
        .object([
            "device": space.device.map { .text($0) }, "used": space.usage.map { .number($0.usedBytes) },
            "total": space.usage.map { .number($0.totalBytes) },
            "free": space.usage.map { .number($0.freeBytes) }, "available": .number(space.available),
            "file": space.file.map { .text($0.path.string) }, "file_size": space.file.map { .number($0.size) },
            "file_allocated": space.file.map { .number($0.allocated) },
            "disk_free": space.file.map { .number($0.diskFree) }, "disk_size": space.file.map { .number($0.diskSize) },
        ])
    }

    private func json(_ problem: PoolProblem) -> JSONValue {
        .object([
            "summary": .text(problem.summary), "warning": .bool(problem.isWarning),
            "steps": .list(
                problem.steps.map { step in
                    .object(["text": .text(step.text), "command": step.command.map { .text($0) }])
                }),
        ])
    }

    private func text(_ report: PoolReport) -> String {
        let mark = report.lowWaterMark.map { "an event below \(ByteSize.decimal($0)) of free data" }
        let snapshots = report.snapshotCount.map { "\($0) of \(PoolReport.mostSnapshots)" }
        let rows: [[String]] = [
            ["Pool:", report.name + (report.device.map { " (\($0))" } ?? "")],
            ["State:", state(report)],
            ["Needs check:", report.needsCheck ? "yes" : "no"],
            ["Block size:", ByteSize.decimal(report.blockSize)],
            ["Data:", use(report.data)],
            ["Metadata:", use(report.metadata)],
            ["Low-water mark:", mark ?? "-"],
            ["When full:", report.whenFull],
            ["New blocks:", newBlocks(report)],
            ["Discards:", discards(report)],
            ["Data file:", file(report.data.file)],
            ["Metadata file:", file(report.metadata.file)],
            ["Disk below:", disk(report.data.file ?? report.metadata.file)],
            ["Thin devices:", "\(report.deviceCount) of 16777216"],
            ["Snapshots made:", snapshots ?? "-"],
        ]
        var lines = [Columns.aligned(rows + (PoolVolumeGroup(report)?.rows ?? []))]
        for problem in report.problems {
            lines.append("\n\(problem.isWarning ? "Warning" : "Problem"): \(problem.summary).")
            for (index, step) in problem.steps.enumerated() {
                lines.append("  \(index + 1). \(step.text)" + (step.command.map { "\n       \($0)" } ?? ""))
            }
        }
        return lines.joined(separator: "\n")
    }

    private func state(_ report: PoolReport) -> String {
        let words =
            switch report.condition {
            case .readWrite: "read-write"
            case .outOfDataSpace: "out of data space"
            case .readOnly: "read-only"
            case .failed: "failed"
            case .inactive: "not active"
            }
        return words + (report.isSuspended ? ", suspended" : "")
    }

    private func use(_ space: PoolReport.Space) -> String {
        guard let usage = space.usage else { return "unknown" }
        let left = ByteSize.decimal(usage.freeBytes)
        let really =
            space.available < usage.freeBytes ? ", of which the disk can hold \(ByteSize.decimal(space.available))" : ""
        return "\(ByteSize.decimal(usage.usedBytes)) of \(ByteSize.decimal(usage.totalBytes)) used "
            + "(\(percent(usage.used, of: usage.total))), \(left) left\(really)"
    }

    private func percent(_ part: UInt64, of whole: UInt64) -> String {
        let tenths = whole == 0 ? 0 : (Double(part) / Double(whole) * 1000).rounded()
        return "\(UInt64(tenths) / 10).\(UInt64(tenths) % 10)%"
    }

    private func newBlocks(_ report: PoolReport) -> String {
        report.zeroesNewBlocks ? "filled with zeros" : "not filled with zeros, and may hold data of removed layers"
    }

    private func discards(_ report: PoolReport) -> String {
        switch report.discards {
        case nil: "unknown"
        case .ignored: "ignored"
        case .notPassedDown: "free blocks of the pool"
        case .passedDown: "free blocks of the pool, and the space below"
        }
    }

    private func file(_ file: FileSpace?) -> String {
        guard let file else { return "-" }
        return "\(file.path): \(ByteSize.decimal(file.size)), \(ByteSize.decimal(file.allocated)) of it on the disk"
    }

    private func disk(_ file: FileSpace?) -> String {
        guard let file else { return "-" }
        return "\(ByteSize.decimal(file.diskFree)) of \(ByteSize.decimal(file.diskSize)) free"
    }
}
