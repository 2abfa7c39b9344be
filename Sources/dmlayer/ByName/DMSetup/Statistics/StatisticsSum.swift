internal import DeviceMapper

/// The counters of one area or of several, added up, with times in nanoseconds; and the rates over an interval.
struct StatisticsSum {
    struct Requests {
        var completed = 0.0
        var merged = 0.0
        var sectors = 0.0
        var time = 0.0

        fileprivate mutating func add(_ requests: StatisticsCounters.Requests, _ scale: Double) {
            completed += Double(requests.completed)
            merged += Double(requests.merged)
            sectors += Double(requests.sectors.count)
            time += Double(requests.time) * scale
        }
    }

    var reads = Requests()
    var writes = Requests()
    var underWay = 0.0
    var busyTime = 0.0
    var weightedTime = 0.0
    var readTime = 0.0
    var writeTime = 0.0
    var histogram: [UInt64] = []
    /// Over which time the counters have grown, in nanoseconds.
    var interval = 1e9

    mutating func add(_ counters: StatisticsCounters, _ region: StatisticsRegion) {
        let scale = region.isPrecise ? 1 : 1e6
        reads.add(counters.reads, scale)
        writes.add(counters.writes, scale)
        underWay += Double(counters.underWay)
        busyTime += Double(counters.busyTime) * scale
        weightedTime += Double(counters.weightedTime) * scale
        readTime += Double(counters.readTime) * scale
        writeTime += Double(counters.writeTime) * scale
        if histogram.isEmpty { histogram = [UInt64](repeating: 0, count: counters.histogram.count) }
        for (index, count) in counters.histogram.enumerated() where index < histogram.count {
            histogram[index] += count
        }
    }

    // MARK: Rates

    private var requests: Double { reads.completed + writes.completed }

    /// How many there are in a second.
    func rate(_ count: Double) -> Double { count * 1e9 / interval }

    var throughput: Double { rate(requests) }

    /// Sectors of a request.
    var averageSize: Double { Self.ratio(reads.sectors + writes.sectors, requests) }

    /// How many requests were under way.
    var queueLength: Double { weightedTime / interval }

    /// Milliseconds that a request took.
    var wait: Double { Self.ratio(reads.time + writes.time, requests) / 1e6 }

    var readWait: Double { Self.ratio(reads.time, reads.completed) / 1e6 }

    var writeWait: Double { Self.ratio(writes.time, writes.completed) / 1e6 }

    /// Milliseconds that the device worked for a request.
    var serviceTime: Double { Self.ratio(min(busyTime, interval), requests) / 1e6 }

    /// The part of the time in which the device worked, in percent.
    var utilization: Double { min(busyTime, interval) * 100 / interval }

    private static func ratio(_ sum: Double, _ count: Double) -> Double { count > 0 ? sum / count : 0 }
}
