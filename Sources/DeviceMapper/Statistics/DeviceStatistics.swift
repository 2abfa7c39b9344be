/// Counts of the requests to a mapped device, region by region: the kernel's `statistics.rst`.
///
/// A region is a range of sectors, divided into areas of equal length; each area has counters of its own. The kernel keeps them
/// until the region is deleted or the device is removed. Every method is one message (`DM_TARGET_MSG`) to the device.
public struct DeviceStatistics: Sendable {
    private let control: Control
    private let device: DeviceReference

    /// Names the statistics of a device, without asking the kernel.
    public init(_ control: Control, of device: DeviceReference) {
        self.control = control
        self.device = device
    }

    /// Begins to count requests.
    ///
    /// - Parameters:
    ///   - range: The sectors that count; `nil` takes the whole device.
    ///   - division: How they are divided into areas.
    ///   - precise: Counts times in nanoseconds instead of milliseconds.
    ///   - boundaries: Divides requests by how long they took, at these times, in rising order: a histogram. They are in
    ///     nanoseconds where `precise` is set, and in milliseconds otherwise.
    ///   - program: The name by which the caller finds its regions again, without white space.
    ///   - note: A word that the kernel keeps for the caller, without white space.
    /// - Returns: The number of the region.
    /// - Throws: ``DeviceMapperError/Code/invalidArgument`` for a range, a division or boundaries that the kernel does not
    ///   take; ``DeviceMapperError/Code/invalidName`` for a program or a note that is no word.
    public func makeRegion(
        _ range: Range<Sectors>? = nil, division: StatisticsDivision = .areas(1), precise: Bool = false,
        boundaries: [UInt64] = [], program: String? = nil, note: String? = nil
    ) throws(DeviceMapperError) -> StatisticsRegion.ID {
        let place = range.map { "\($0.lowerBound)+\($0.upperBound.count - $0.lowerBound.count)" } ?? "-"
        var options: [String] = precise ? ["precise_timestamps"] : []
        if !boundaries.isEmpty { options.append("histogram:" + boundaries.map(String.init).joined(separator: ",")) }
        var words = ["@stats_create", place, division.word]
        if !options.isEmpty { words += ["\(options.count)"] + options }
        if program != nil || note != nil { words.append(try word(program ?? "-")) }
        if let note { words.append(try word(note)) }
        // A message that made a region must not be sent again, so the answer has room for any number.
        let answer = try control.sendMessage(words.joined(separator: " "), to: device, answerCapacity: 64)
        guard let id = answer.flatMap({ UInt64(TargetWords.trimmed($0)) }) else { throw malformed(answer) }
        return id
    }

    /// The regions of the device.
    ///
    /// - Parameter program: Only those that were made under this name; `nil` takes all.
    public func regions(of program: String? = nil) throws(DeviceMapperError) -> [StatisticsRegion] {
        let text = try answer(
            to: "@stats_list" + (program.map { name throws(DeviceMapperError) in try " " + word(name) } ?? ""))
        var regions: [StatisticsRegion] = []
        for line in text.split(separator: "\n") {
            guard let region = StatisticsRegion(String(line)) else { throw malformed(text) }
            regions.append(region)
        }
        return regions
    }

    /// The counters of a region's areas.
    ///
    /// - Parameters:
    ///   - region: The region.
    ///   - areas: Which areas, counted from 0; `nil` takes all.
    ///   - clearing: Sets the counters to zero in the same step, but for the requests that are under way.
    /// - Throws: ``DeviceMapperError/Code/invalidArgument`` for a region that does not exist.
    public func counters(
        of region: StatisticsRegion.ID, areas: Range<Int>? = nil, clearing: Bool = false
    ) throws(DeviceMapperError) -> [StatisticsCounters] {
        let lines = areas.map { " \($0.lowerBound) \($0.count)" } ?? ""
        let text = try answer(to: "@stats_print\(clearing ? "_clear" : "") \(region)\(lines)")
        var counters: [StatisticsCounters] = []
        for line in text.split(separator: "\n") {
            guard let area = StatisticsCounters(String(line)) else { throw malformed(text) }
            counters.append(area)
        }
        return counters
    }

    /// Sets the counters of a region to zero, but for the requests that are under way.
    public func clear(_ region: StatisticsRegion.ID) throws(DeviceMapperError) {
        try control.sendMessage("@stats_clear \(region)", to: device)
    }

    /// Ends the counting in a region, whose number the next one gets.
    public func delete(_ region: StatisticsRegion.ID) throws(DeviceMapperError) {
        try control.sendMessage("@stats_delete \(region)", to: device)
    }

    /// Gives a region another word to keep.
    ///
    /// - Throws: ``DeviceMapperError/Code/invalidName`` for a note that is no word.
    public func setNote(_ note: String, of region: StatisticsRegion.ID) throws(DeviceMapperError) {
        try control.sendMessage("@stats_set_aux \(region) \(word(note))", to: device)
    }

    /// A name or a note, which the kernel lists as it is, between blanks.
    private func word(_ text: String) throws(DeviceMapperError) -> String {
        guard !text.isEmpty, TargetWords.escaped(text) == text else {
            throw DeviceMapperError(
                .invalidName, device: text, detail: "the kernel lists a program or a note of statistics as one word")
        }
        return text
    }

    /// Sends a message that only asks, with more room for the answer as often as it does not fit.
    private func answer(to message: String) throws(DeviceMapperError) -> String {
        var capacity = Control.defaultBufferSize
        while true {
            do {
                return try control.sendMessage(message, to: device, answerCapacity: capacity) ?? ""
            } catch {
                guard error.code == .answerTooLarge, capacity < Self.longestAnswer else { throw error }
                capacity *= 4
            }
        }
    }

    /// Some hundred thousand areas.
    private static let longestAnswer = 64 << 20

    private func malformed(_ answer: String?) -> DeviceMapperError {
        DeviceMapperError(
            .malformedAnswer, command: .targetMessage, device: device.description,
            detail: "“\((answer ?? "").prefix(80))” is no answer about statistics")
    }
}

/// How a region is divided into areas.
public enum StatisticsDivision: Hashable, Sendable {
    /// Areas of this length; the last one may be shorter.
    case length(Sectors)
    /// So many areas of equal length.
    case areas(UInt64)

    fileprivate var word: String {
        switch self {
        case .length(let sectors): "\(sectors)"
        case .areas(let count): "/\(count)"
        }
    }
}
