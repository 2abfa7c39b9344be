internal import DeviceMapper

/// The note that dmstats keeps with a region: a word of the caller, and in the first region of a group its members.
///
/// A group is written as `DMS_GROUP=ALIAS:MEMBERS#WORD`.
struct StatisticsNote {
    private static let mark = "DMS_GROUP="

    /// The group that begins with the region.
    struct Group {
        /// The name of the group; empty without one.
        var alias: String
        /// The numbers of its regions, in order.
        var members: [UInt64]
    }

    var group: Group?
    /// The word of the caller; empty without one.
    var word: String

    init(_ text: String) {
        word = text == "-" ? "" : text
        guard text.hasPrefix(Self.mark) else { return }
        let parts = text.dropFirst(Self.mark.count).split(
            separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let rest = parts.last?.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false) ?? []
        guard parts.count == 2, rest.count == 2, let members = RegionList.parse(rest[0]) else { return }
        group = Group(alias: String(parts[0]), members: members)
        word = rest[1] == "-" ? "" : String(rest[1])
    }

    /// The text for the kernel.
    var text: String {
        let word = word.isEmpty ? "-" : word
        return group.map { "\(Self.mark)\($0.alias):\(RegionList.text($0.members))#\(word)" } ?? word
    }
}

/// Numbers of regions, written as `0-2,4`.
enum RegionList {
    /// How many regions a list may name; a longer range is a slip.
    private static let limit: UInt64 = 1 << 20

    /// Reads a list.
    static func parse(_ text: some StringProtocol) -> [UInt64]? {
        var numbers: Set<UInt64> = []
        for part in text.split(separator: ",") {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { end in
                UInt64(String(end.filter { $0 != " " }))
            }
            guard ends.count <= 2, let first = ends.first.flatMap({ $0 }), let last = ends.last.flatMap({ $0 }),
                first <= last, last - first < limit
            else { return nil }
            numbers.formUnion(first...last)
        }
        return numbers.sorted()
    }

    static func text(_ numbers: [UInt64]) -> String {
        var ranges: [ClosedRange<UInt64>] = []
        for number in numbers {
            if let last = ranges.last, last.upperBound + 1 == number {
                ranges[ranges.count - 1] = last.lowerBound...number
            } else {
                ranges.append(number...number)
            }
        }
        return ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
            .joined(separator: ",")
    }
}
