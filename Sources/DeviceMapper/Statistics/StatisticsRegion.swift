/// A region of a device's statistics, as the kernel lists it.
public struct StatisticsRegion: Hashable, Sendable, Identifiable {
    /// The number of the region.
    public let id: UInt64
    /// The sectors that count.
    public let range: Range<Sectors>
    /// The length of an area.
    public let areaLength: Sectors
    /// The name under which the region was made.
    public let program: String
    /// The word that the kernel keeps for the program.
    public let note: String
    /// Whether times are in nanoseconds instead of milliseconds.
    public let isPrecise: Bool
    /// The times at which the histogram divides requests; empty without one.
    public let boundaries: [UInt64]

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        id: UInt64, range: Range<Sectors>, areaLength: Sectors, program: String, note: String, isPrecise: Bool,
        boundaries: [UInt64] = []
    ) {
        self.id = id
        self.range = range
        self.areaLength = areaLength
        self.program = program
        self.note = note
        self.isPrecise = isPrecise
        self.boundaries = boundaries
    }

    /// Reads a line of `@stats_list`: `0: 0+1024 128 program note precise_timestamps histogram:1,2`.
    init?(_ line: String) {
        var words = TargetWords(line)
        guard let number = words.next(), number.last == ":", let id = UInt64(number.dropLast()),
            let range = words.next().flatMap(Self.range), let areaLength = words.sectors(), let program = words.next(),
            let note = words.next()
        else { return nil }
        let options = words.rest()
        let histogram = options.first { $0.hasPrefix("histogram:") }
        let boundaries = histogram?.dropFirst("histogram:".count).split(separator: ",") ?? []
        self.init(
            id: id, range: range, areaLength: areaLength, program: program, note: note,
            isPrecise: options.contains("precise_timestamps"), boundaries: boundaries.compactMap { UInt64($0) })
    }

    /// Reads `start+length`.
    fileprivate static func range(_ word: String) -> Range<Sectors>? {
        let parts = word.split(separator: "+", omittingEmptySubsequences: false)
        guard parts.count == 2, let start = UInt64(parts[0]), let length = UInt64(parts[1]) else { return nil }
        let (end, overflow) = start.addingReportingOverflow(length)
        return overflow ? nil : Sectors(start)..<Sectors(end)
    }
}

/// The counters of an area.
///
/// Times are in milliseconds, or in nanoseconds in a region that ``StatisticsRegion/isPrecise``.
public struct StatisticsCounters: Hashable, Sendable {
    /// Counts of reads or of writes.
    public struct Requests: Hashable, Sendable {
        /// How many have been carried out.
        public let completed: UInt64
        /// How many were joined with others.
        public let merged: UInt64
        /// How many sectors they had.
        public let sectors: Sectors
        /// How long they took, all added up.
        public let time: UInt64

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(completed: UInt64, merged: UInt64, sectors: Sectors, time: UInt64) {
            self.completed = completed
            self.merged = merged
            self.sectors = sectors
            self.time = time
        }
    }

    /// The sectors of the area.
    public let range: Range<Sectors>
    /// Reads.
    public let reads: Requests
    /// Writes.
    public let writes: Requests
    /// How many requests are under way.
    public let underWay: UInt64
    /// For how long at least one request was under way.
    public let busyTime: UInt64
    /// The same, each moment counted as often as requests were under way.
    public let weightedTime: UInt64
    /// For how long at least one read was under way.
    public let readTime: UInt64
    /// For how long at least one write was under way.
    public let writeTime: UInt64
    /// How many requests took how long: one count more than the region has boundaries, or none.
    public let histogram: [UInt64]

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        range: Range<Sectors>, reads: Requests, writes: Requests, underWay: UInt64, busyTime: UInt64,
        weightedTime: UInt64, readTime: UInt64, writeTime: UInt64, histogram: [UInt64] = []
    ) {
        self.range = range
        self.reads = reads
        self.writes = writes
        self.underWay = underWay
        self.busyTime = busyTime
        self.weightedTime = weightedTime
        self.readTime = readTime
        self.writeTime = writeTime
        self.histogram = histogram
    }

    /// Reads a line of `@stats_print`: the range, thirteen counters, and the histogram with colons between its counts.
    init?(_ line: String) {
        var words = TargetWords(line)
        guard let range = words.next().flatMap(StatisticsRegion.range) else { return nil }
        var counters: [UInt64] = []
        while counters.count < 13 {
            guard let counter = words.number() else { return nil }
            counters.append(counter)
        }
        func requests(_ first: Int) -> Requests {
            Requests(
                completed: counters[first], merged: counters[first + 1], sectors: Sectors(counters[first + 2]),
                time: counters[first + 3])
        }
        self.init(
            range: range, reads: requests(0), writes: requests(4), underWay: counters[8], busyTime: counters[9],
            weightedTime: counters[10], readTime: counters[11], writeTime: counters[12],
            histogram: (words.next()?.split(separator: ":") ?? []).compactMap { UInt64($0) })
    }
}

extension StatisticsCounters: CustomStringConvertible {
    /// The line of `@stats_print`.
    public var description: String {
        let counts = [reads, writes].flatMap { [$0.completed, $0.merged, $0.sectors.count, $0.time] }
        let times = [underWay, busyTime, weightedTime, readTime, writeTime]
        let line = "\(range.lowerBound)+\(range.upperBound.count - range.lowerBound.count)"
        let histogram = histogram.isEmpty ? "" : " " + histogram.map(String.init).joined(separator: ":")
        return line + (counts + times).map { " \($0)" }.joined() + histogram
    }
}
