internal import DeviceMapper

/// The subject of a row of `stats list` or `stats report`.
struct StatisticsObject {
    enum Kind {
        case area(Int)
        case region
        case group(StatisticsNote.Group)

        var name: String {
            switch self {
            case .area: "area"
            case .region: "region"
            case .group: "group"
            }
        }
    }

    let kind: Kind
    /// The region, or the first one of the group.
    let region: StatisticsRegion
    /// The numbers of the regions that are counted together.
    let members: [UInt64]
    /// The sectors of the region, or of all regions of the group.
    let length: UInt64
    let areaCount: Int
    /// The group that the region belongs to.
    let groupID: UInt64?
    /// The name of the group, if it has one.
    let alias: String?
    let sum: StatisticsSum
    let format: StatisticsFormat

    var areaNumber: Int {
        if case .area(let number) = kind { return number }
        return 0
    }

    /// The number that the object is sorted and selected by; a group comes behind all regions.
    var orderedNumber: UInt64 { isGroup ? .max : region.id }

    private var isGroup: Bool {
        if case .group = kind { return true }
        return false
    }

    /// Where the area begins in its region.
    var areaOffset: UInt64 { UInt64(areaNumber) * region.areaLength.count }

    var areaStart: UInt64 { region.range.lowerBound.count + areaOffset }

    var areaLength: UInt64 { isGroup ? length : region.areaLength.count }

    var shownAreaCount: Int { isGroup ? 1 : areaCount }

    var word: String { StatisticsNote(region.note).word }

    /// How many parts the histogram has; dmsetup counts none for a group.
    var binCount: Int { isGroup || region.boundaries.isEmpty ? 0 : region.boundaries.count + 1 }

    /// The times at which the histogram begins and is divided, in nanoseconds.
    private var bounds: [UInt64] {
        guard !region.boundaries.isEmpty else { return [] }
        return [0]
            + region.boundaries.map {
                region.isPrecise ? $0 : $0.multipliedReportingOverflow(by: 1_000_000).partialValue
            }
    }

    // MARK: The histogram

    var boundTexts: [String] { bounds.map(format.time) }

    var rangeTexts: [String] {
        let texts = boundTexts
        return texts.indices.map { $0 + 1 < texts.count ? "\(texts[$0])-\(texts[$0 + 1])" : ">\(texts[$0])" }
    }

    /// The histogram, each count behind its label.
    func histogram(_ labels: [String]?, percent: Bool) -> String {
        guard !bounds.isEmpty else { return "" }
        let total = sum.histogram.reduce(0, +)
        let values = bounds.indices.map { index in
            let count = index < sum.histogram.count ? sum.histogram[index] : 0
            guard percent else { return "\(count)" }
            return Decimal.text(total == 0 ? 0 : Double(count) * 100 / Double(total), digits: 2) + "%"
        }
        return format.histogram(values, labels, percent: percent)
    }
}

/// How times, sizes and histograms are printed.
struct StatisticsFormat {
    let units: SizeUnits
    /// Whether a time has its unit behind it; without, it is in nanoseconds.
    let showsTimeUnits: Bool
    /// Whether the parts of a histogram have the same width.
    let isPadded: Bool

    private static let timeUnits: [(length: UInt64, name: String)] = [
        (1_000_000_000, "s"), (1_000_000, "ms"), (1000, "us"),
    ]

    /// A time in the largest unit of which it is a multiple.
    func time(_ nanoseconds: UInt64) -> String {
        guard showsTimeUnits else { return "\(nanoseconds)" }
        for unit in Self.timeUnits where nanoseconds % unit.length == 0 {
            return "\(nanoseconds / unit.length)\(unit.name)"
        }
        return "\(nanoseconds)ns"
    }

    /// Puts the parts of a histogram together.
    func histogram(_ values: [String], _ labels: [String]?, percent: Bool) -> String {
        guard isPadded else {
            return values.indices.map { index in (labels.map { "\($0[index]):" } ?? "") + values[index] }
                .joined(separator: ":")
        }
        let width = percent ? 7 : 6
        guard let labels else { return values.map { $0.paddedLeft(width) }.joined() }
        let labelWidth = showsTimeUnits ? 6 : 10
        return values.indices.map { index in
            // A label and its count have the same width together; a range is not padded.
            let label = labels[index].contains("-") ? labels[index] : labels[index].paddedLeft(labelWidth)
            return "\(label):\(values[index].paddedLeft(max(0, labelWidth + width - label.utf8.count)))"
        }.joined(separator: ",")
    }
}
