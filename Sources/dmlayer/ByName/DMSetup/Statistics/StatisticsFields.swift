internal import DeviceMapper

/// The columns of `stats list` and `stats report`.
extension DMReportField {
    private typealias Value = @Sendable (StatisticsObject) -> String

    /// A column of text.
    private static func text(
        _ group: Group, _ name: String, _ heading: String, _ width: Int, _ help: String, _ value: @escaping Value
    ) -> DMReportField {
        DMReportField(group, name, heading, width, help) { row throws(DMSetupFailed) in
            row.statistics.map(value) ?? ""
        }
    }

    /// A column of numbers.
    private static func number(
        _ group: Group, _ name: String, _ heading: String, _ width: Int, _ help: String, digits: Int = 0,
        _ amount: @escaping @Sendable (StatisticsObject) -> Double
    ) -> DMReportField {
        var field = DMReportField(group, name, heading, width, number: true, help) { row throws(DMSetupFailed) in
            Decimal.text(row.statistics.map(amount) ?? 0, digits: digits)
        }
        field.amount = { row in row.statistics.map(amount) ?? 0 }
        return field
    }

    /// A column of lengths in sectors, which stand in the unit of the command line.
    private static func size(
        _ group: Group, _ name: String, _ heading: String, _ width: Int, _ help: String,
        _ sectors: @escaping @Sendable (StatisticsObject) -> UInt64
    ) -> DMReportField {
        var field = DMReportField(group, name, heading, width, number: true, help) { row throws(DMSetupFailed) in
            row.statistics.map { $0.format.units.text(sectors($0)) } ?? ""
        }
        field.amount = { row in Double(row.statistics.map(sectors) ?? 0) }
        field.isSize = group == .region
        return field
    }

    /// A column whose text is not the number that it is sorted by.
    private static func identifier(
        _ name: String, _ heading: String, _ width: Int, _ help: String,
        _ number: @escaping @Sendable (StatisticsObject) -> Double,
        _ value: @escaping Value
    ) -> DMReportField {
        var field = DMReportField(.region, name, heading, width, number: true, help) { row throws(DMSetupFailed) in
            row.statistics.map(value) ?? ""
        }
        field.amount = { row in row.statistics.map(number) ?? 0 }
        return field
    }

    static var statistics: [DMReportField] { counts + times + rates + waits + histograms }

    private static var counts: [DMReportField] {
        [
            number(.stats, "read_count", "#Reads", 6, "reads") { $0.sum.reads.completed },
            number(.stats, "reads_merged_count", "#RdMrgs", 7, "reads that were joined with others") {
                $0.sum.reads.merged
            },
            number(.stats, "read_sector_count", "#RdSectors", 10, "sectors that were read") { $0.sum.reads.sectors },
            number(.stats, "read_time", "AccRdTime", 11, "how long all reads took, in nanoseconds") {
                $0.sum.reads.time
            },
            number(.stats, "write_count", "#Writes", 6, "writes") { $0.sum.writes.completed },
            number(.stats, "writes_merged_count", "#WrMrgs", 7, "writes that were joined with others") {
                $0.sum.writes.merged
            },
            number(.stats, "write_sector_count", "#WrSectors", 10, "sectors that were written") {
                $0.sum.writes.sectors
            },
            number(.stats, "write_time", "AccWrTime", 11, "how long all writes took, in nanoseconds") {
                $0.sum.writes.time
            },
        ]
    }

    private static var times: [DMReportField] {
        [
            number(.stats, "in_progress_count", "#InProg", 7, "requests under way") { $0.sum.underWay },
            number(.stats, "io_ticks", "IoTicks", 7, "nanoseconds with requests under way") { $0.sum.busyTime },
            number(.stats, "queue_ticks", "QueueTicks", 10, "the same, times the requests") { $0.sum.weightedTime },
            number(.stats, "read_ticks", "RdTicks", 7, "nanoseconds with reads under way") { $0.sum.readTime },
            number(.stats, "write_ticks", "WrTicks", 7, "nanoseconds with writes under way") { $0.sum.writeTime },
        ]
    }

    private static var rates: [DMReportField] {
        [
            number(.stats, "reads_merged_per_sec", "RMrg/s", 6, "joined reads in a second", digits: 2) {
                $0.sum.rate($0.sum.reads.merged)
            },
            number(.stats, "writes_merged_per_sec", "WMrg/s", 6, "joined writes in a second", digits: 2) {
                $0.sum.rate($0.sum.writes.merged)
            },
            number(.stats, "reads_per_sec", "R/s", 4, "reads in a second", digits: 2) {
                $0.sum.rate($0.sum.reads.completed)
            },
            number(.stats, "writes_per_sec", "W/s", 4, "writes in a second", digits: 2) {
                $0.sum.rate($0.sum.writes.completed)
            },
            size(.stats, "read_size_per_sec", "RSz/s", 5, "size that was read in a second") {
                UInt64($0.sum.rate($0.sum.reads.sectors))
            },
            size(.stats, "write_size_per_sec", "WSz/s", 5, "size that was written in a second") {
                UInt64($0.sum.rate($0.sum.writes.sectors))
            },
            size(.stats, "avg_request_size", "AvgRqSz", 7, "size of a request") { UInt64($0.sum.averageSize) },
            number(.stats, "queue_size", "QSize", 5, "requests under way, on average", digits: 2) {
                $0.sum.queueLength
            },
        ]
    }

    private static var waits: [DMReportField] {
        [
            number(.stats, "await", "AWait", 5, "milliseconds of a request", digits: 2) { $0.sum.wait },
            number(.stats, "read_await", "RdAWait", 7, "milliseconds of a read", digits: 2) { $0.sum.readWait },
            number(.stats, "write_await", "WrAWait", 7, "milliseconds of a write", digits: 2) { $0.sum.writeWait },
            number(.stats, "throughput", "Throughput", 10, "requests in a second", digits: 2) { $0.sum.throughput },
            number(.stats, "service_time", "SvcTm", 5, "milliseconds of work for a request", digits: 2) {
                $0.sum.serviceTime
            },
            number(.stats, "util", "Util%", 5, "the part of the time with requests under way", digits: 2) {
                $0.sum.utilization
            },
        ]
    }

    private static var histograms: [DMReportField] {
        let (counts, percents) = ("Histogram Counts", "Histogram%")
        return [
            text(.stats, "hist_count", counts, 16, "requests by duration") { $0.histogram(nil, percent: false) },
            text(.stats, "hist_count_bounds", counts, 16, "the same, each with its least duration") {
                $0.histogram($0.boundTexts, percent: false)
            },
            text(.stats, "hist_count_ranges", counts, 16, "the same, each with its range") {
                $0.histogram($0.rangeTexts, percent: false)
            },
            text(.stats, "hist_percent", percents, 10, "requests by duration, in percent") {
                $0.histogram(nil, percent: true)
            },
            text(.stats, "hist_percent_bounds", percents, 10, "the same, each with its least duration") {
                $0.histogram($0.boundTexts, percent: true)
            },
            text(.stats, "hist_percent_ranges", percents, 10, "the same, each with its range") {
                $0.histogram($0.rangeTexts, percent: true)
            },
            number(.stats, "interval_ns", "IntervalNs", 10, "nanoseconds of the interval") { $0.sum.interval },
            number(.stats, "interval", "Interval", 8, "seconds of the interval", digits: 6) { $0.sum.interval / 1e9 },
        ]
    }

    static var regions: [DMReportField] { places + properties }

    private static var places: [DMReportField] {
        [
            identifier("region_id", "RgID", 4, "the number of the region", { Double($0.orderedNumber) }) {
                RegionList.text($0.members)
            },
            size(.region, "region_start", "RgStart", 5, "where the region begins") { $0.region.range.lowerBound.count },
            size(.region, "region_len", "RgSize", 5, "the length of the region") { $0.length },
            number(.region, "area_id", "ArID", 4, "the number of the area") { Double($0.areaNumber) },
            size(.region, "area_start", "ArStart", 5, "where the area begins on the device") { $0.areaStart },
            size(.region, "area_len", "ArSize", 5, "the length of the area") { $0.areaLength },
            size(.region, "area_offset", "ArOff", 5, "where the area begins in the region") { $0.areaOffset },
            number(.region, "area_count", "#Areas", 3, "areas of the region") { Double($0.shownAreaCount) },
            identifier("group_id", "GrpID", 3, "the number of the group", { Double($0.groupID ?? .max) }) {
                $0.groupID.map { "\($0)" } ?? "-"
            },
        ]
    }

    private static var properties: [DMReportField] {
        [
            text(.region, "program_id", "ProgID", 6, "the program that made the region") { $0.region.program },
            text(.region, "user_data", "UserData", 8, "the word that the program keeps there") { $0.word },
            text(.region, "precise", "Precise", 7, "1 if it counts nanoseconds") { $0.region.isPrecise ? "1" : "0" },
            text(.region, "hist_bins", "#Bins", 9, "parts of the histogram") { "\($0.binCount)" },
            text(.region, "hist_bounds", "Histogram Bounds", 16, "the least durations of the parts") {
                $0.boundTexts.joined(separator: ",")
            },
            text(.region, "hist_ranges", "Histogram Ranges", 16, "the ranges of the parts") {
                $0.rangeTexts.joined(separator: ",")
            },
            DMReportField(.region, "stats_name", "Name", 16, "the name of the group, else of the device") {
                row throws(DMSetupFailed) in row.statistics?.alias ?? row.shown
            },
            text(.region, "obj_type", "ObjType", 7, "area, region or group") { $0.kind.name },
        ]
    }
}
