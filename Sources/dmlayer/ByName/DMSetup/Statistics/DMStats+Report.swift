internal import DeviceMapper
internal import SystemCalls

/// Which rows and columns `stats list` or `stats report` has.
struct StatisticsReport {
    let isList: Bool
    let columns: String
    let showsAreas: Bool
    let showsRegions: Bool
    let showsGroups: Bool
    /// Whether a region of one area has no row beside that of its area.
    let skipsSingleAreas: Bool

    init(_ options: DMSetupOptions, isList: Bool) {
        self.isList = isList
        let kinds = ["area", "region", "group"].filter { options.has($0) }
        let isVerbose = options.has("verbose")
        showsAreas = kinds.isEmpty ? !isList || isVerbose : kinds.contains("area")
        showsRegions = kinds.isEmpty || kinds.contains("region")
        showsGroups = kinds.isEmpty || kinds.contains("group")
        skipsSingleAreas = kinds.isEmpty && showsAreas
        let head = "stats_name,group_id,region_id,obj_type,"
        let region = "region_start,region_len,area_count,\(isList && isVerbose ? "area_id,area_start," : "")area_len,"
        let area = "area_id,area_start,area_len,"
        if isList {
            columns = head + region + (options.has("histogram") ? "hist_bins,hist_bounds" : "program_id")
        } else if options.has("raw") {
            columns =
                head + area + "read_count,reads_merged_count,read_sector_count,read_time,read_ticks,write_count,"
                + "writes_merged_count,write_sector_count,write_time,write_ticks,in_progress_count,io_ticks,queue_ticks"
        } else if options.has("histogram") {
            columns = head + region + "util,await,hist_\(options.has("relative") ? "percent" : "count")_bounds"
        } else {
            columns =
                head + area + "reads_merged_per_sec,writes_merged_per_sec,reads_per_sec,writes_per_sec,"
                + "read_size_per_sec,write_size_per_sec,avg_request_size,queue_size,util,await,read_await,write_await"
        }
    }
}

extension DMSetupSession {
    /// Prints the regions, or their counters once or in intervals.
    func reportStatistics(_ words: [String], _ kind: StatisticsReport) throws(DMSetupFailed) {
        guard let units = options.text("units").map({ SizeUnits($0) }) ?? SizeUnits.human else {
            throw Self.failure("Invalid --units argument.", isLast: true)
        }
        let format = StatisticsFormat(
            units: units, showsTimeUnits: !options.has("notimesuffix"), isPadded: !options.has("noheadings"))
        var columns = options.text("options") ?? kind.columns
        if columns.hasPrefix("+") { columns = "\(kind.columns),\(columns.dropFirst())" }
        let groups: Set<DMReportField.Group> = kind.isList ? [.region] : [.stats, .region]
        guard let report = try DMReport.make(self, columns, groups) else {
            if wantsFieldHelp { return }
            throw DMSetupFailed(isLast: true)
        }
        let seconds = options.number("interval") ?? 1
        // With an interval and no count, the report goes on until somebody ends it.
        var rest = kind.isList ? 1 : options.number("count") ?? (options.has("interval") ? 0 : 1)
        var interval = Duration.seconds(seconds)
        var last = ContinuousClock.now
        while true {
            try addRows(words, kind, format, report, interval)
            report.finish(self)
            if rest == 1 { return }
            rest = max(0, rest - 1)
            print("")
            flush()
            report.repeatHeading()
            pause(for: .seconds(seconds))
            let now = ContinuousClock.now
            interval = now - last
            last = now
        }
    }

    private func addRows(
        _ words: [String], _ kind: StatisticsReport, _ format: StatisticsFormat, _ report: DMReport,
        _ interval: Duration
    ) throws(DMSetupFailed) {
        let nanoseconds = Double(interval.components.seconds) * 1e9 + Double(interval.components.attoseconds) / 1e9
        for word in words.isEmpty ? [nil] : words.map(Optional.some) {
            try withStatistics(of: word) { device throws(DMSetupFailed) in
                guard let information = try information(on: device) else {
                    throw Self.failure("Device does not exist.")
                }
                for object in try objects(device, kind, format, nanoseconds) {
                    let row = try DMReportRow(information, self)
                    row.statistics = object
                    try report.add(row, self)
                }
            }
        }
    }

    /// The areas, regions and groups of a device.
    private func objects(
        _ device: DMSetupDevice, _ kind: StatisticsReport, _ format: StatisticsFormat, _ interval: Double
    ) throws(DMSetupFailed) -> [StatisticsObject] {
        var counted: [CountedRegion] = []
        for region in try chosenRegions(device) {
            var counters: [StatisticsCounters] = []
            if !kind.isList {
                counters = try ask(device) { statistics throws(DeviceMapperError) in
                    try statistics.counters(of: region.id, clearing: true)
                }
            }
            counted.append(CountedRegion(region: region, counters: counters, interval: interval))
        }
        let regions = counted.map(\.region)
        var (areas, whole, groups): ([StatisticsObject], [StatisticsObject], [StatisticsObject]) = ([], [], [])
        for part in counted {
            let groupID = Self.groupID(of: part.region.id, in: regions)
            let leader = groupID.flatMap { id in regions.first { $0.id == id } }
            let alias = leader.flatMap { StatisticsNote($0.note).group?.alias }
            if kind.showsAreas {
                areas += (0..<part.areaCount).map { part.object(.area($0), [part], groupID, alias, format) }
            }
            if kind.showsRegions, !kind.skipsSingleAreas || part.areaCount != 1 {
                whole.append(part.object(.region, [part], groupID, alias, format))
            }
            if kind.showsGroups, let group = StatisticsNote(part.region.note).group {
                let members = counted.filter { group.members.contains($0.region.id) }
                groups.append(part.object(.group(group), members, part.region.id, alias, format))
            }
        }
        return areas + whole + groups
    }
}

/// A region with its counters; a list has none.
private struct CountedRegion {
    let region: StatisticsRegion
    let counters: [StatisticsCounters]
    let interval: Double

    var areaCount: Int { counters.isEmpty ? region.areaCount : counters.count }

    /// The sectors of the region.
    ///
    /// The counters are those of whole areas, the last one of which may go beyond the region.
    private var length: UInt64 {
        (counters.last?.range.upperBound ?? region.range.upperBound).count - region.range.lowerBound.count
    }

    func object(
        _ kind: StatisticsObject.Kind, _ parts: [CountedRegion], _ groupID: UInt64?, _ alias: String?,
        _ format: StatisticsFormat
    ) -> StatisticsObject {
        var sum = StatisticsSum()
        sum.interval = interval
        for part in parts {
            for (index, counters) in part.counters.enumerated() {
                if case .area(let number) = kind, number != index { continue }
                sum.add(counters, part.region)
            }
        }
        return StatisticsObject(
            kind: kind, region: region, members: parts.map(\.region.id), length: parts.reduce(0) { $0 + $1.length },
            areaCount: areaCount, groupID: groupID, alias: alias.flatMap { $0.isEmpty ? nil : $0 }, sum: sum,
            format: format)
    }
}
