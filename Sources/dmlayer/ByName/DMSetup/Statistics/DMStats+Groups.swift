internal import DeviceMapper

/// Regions that are counted together.
extension DMSetupSession {
    func groupRegions(_ word: String?) throws(DMSetupFailed) {
        guard let list = options.text("regions") else { throw Self.failure("Group requires --regions.") }
        let alias = try alias()
        try withChosenStatistics(of: word) { device throws(DMSetupFailed) in
            let regions = try chosenRegions(device)
            let name = try shownName(device)
            do throws(DMSetupFailed) {
                guard let numbers = RegionList.parse(list) else {
                    throw Self.failure("Could not parse list: '\(list)'")
                }
                let leader = try makeGroup(numbers, of: regions, on: device, alias)
                print("Grouped regions \(list) as group ID \(leader) on \(name)")
            } catch {
                throw Self.failure("Could not create group on \(name): \(list)")
            }
        }
    }

    /// The name of a new group.
    ///
    /// dmsetup takes a colon and cannot read the group afterwards.
    func alias() throws(DMSetupFailed) -> String {
        let alias = options.text("alias") ?? ""
        if alias.contains(":") { throw Self.failure("Alias \"\(alias)\" invalid. It contains \":\".") }
        return alias
    }

    /// Makes a group, and returns its number, which is that of its first region.
    func makeGroup(
        _ numbers: [UInt64], of regions: [StatisticsRegion], on device: DMSetupDevice, _ alias: String
    ) throws(DMSetupFailed) -> UInt64 {
        guard let last = regions.last else { throw Self.failure("Could not create group: no regions found.") }
        guard let first = numbers.first else { throw Self.failure("Invalid region ID: -1") }
        var members: [StatisticsRegion] = []
        for number in numbers {
            if number > last.id { throw Self.failure("Invalid region ID: \(number)") }
            guard let region = regions.first(where: { $0.id == number }) else {
                throw Self.failure("Region ID \(number) does not exist")
            }
            if let group = Self.groupID(of: number, in: regions) {
                throw Self.failure("Region ID \(number) already a member of group ID \(group)")
            }
            members.append(region)
        }
        try checkTogether(members)
        var note = StatisticsNote(members[0].note)
        note.group = StatisticsNote.Group(alias: alias, members: numbers)
        let text = note.text
        try ask(device) { statistics throws(DeviceMapperError) in try statistics.setNote(text, of: first) }
        return first
    }

    /// Whether regions can be counted together, with warnings about what is counted badly.
    private func checkTogether(_ members: [StatisticsRegion]) throws(DMSetupFailed) {
        let histograms = Set(members.filter { !$0.boundaries.isEmpty }.map { [$0.isPrecise ? 1 : 0] + $0.boundaries })
        if histograms.count > 1 { throw Self.failure("All region histogram bounds must match exactly") }
        if Set(members.map(\.isPrecise)).count > 1 {
            Self.complain("WARNING: Grouping regions with different clock resolution: precision may be lost.")
        }
        let sorted = members.sorted { ($0.range.lowerBound, $0.id) < ($1.range.lowerBound, $1.id) }
        for (left, right) in zip(sorted, sorted.dropFirst()) where right.range.lowerBound < left.range.upperBound {
            Self.complain(
                "WARNING: region IDs \(left.id) and \(right.id) overlap. Some events will be counted twice.")
        }
    }

    /// The number of the group that a region belongs to.
    static func groupID(of region: UInt64, in regions: [StatisticsRegion]) -> UInt64? {
        regions.first { StatisticsNote($0.note).group?.members.contains(region) ?? false }?.id
    }

    func ungroupRegions(_ word: String?) throws(DMSetupFailed) {
        guard let number = number(of: "groupid") else { throw Self.failure("Please specify group id.") }
        try withChosenStatistics(of: word) { device throws(DMSetupFailed) in
            let regions = try chosenRegions(device)
            let name = try shownName(device)
            // dmsetup prints the line also where it fails.
            print("Removed group ID \(number) on \(name)")
            guard Self.group(number, in: regions) != nil, let leader = regions.first(where: { $0.id == number }) else {
                throw Self.failure("Could not delete group \(number) on \(name).")
            }
            var note = StatisticsNote(leader.note)
            note.group = nil
            let text = note.text
            try ask(device) { statistics throws(DeviceMapperError) in try statistics.setNote(text, of: number) }
        }
    }
}
