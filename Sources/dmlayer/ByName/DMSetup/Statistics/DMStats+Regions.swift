internal import DeviceMapper

/// Commands for regions that exist.
extension DMSetupSession {
    private func needRegion() throws(DMSetupFailed) {
        guard options.has("regionid") || options.has("allregions") else {
            throw Self.failure("Please specify a --regionid or use --allregions.")
        }
    }

    func clearRegions(_ word: String?) throws(DMSetupFailed) {
        try needRegion()
        try withStatistics(of: word) { device throws(DMSetupFailed) in
            var numbers = try chosenRegions(device).map(\.id)
            // dmsetup takes a device without regions for cleared.
            if !numbers.isEmpty, let number = number(of: "regionid") {
                guard numbers.contains(number) else { throw Self.failure("No such region: \(number).") }
                numbers = [number]
            }
            for number in numbers {
                try ask(device) { statistics throws(DeviceMapperError) in try statistics.clear(number) }
            }
        }
    }

    func printRegions(_ word: String?) throws(DMSetupFailed) {
        try needRegion()
        let isCleared = options.has("clear")
        try withStatistics(of: word) { device throws(DMSetupFailed) in
            var numbers = try chosenRegions(device).map(\.id)
            if let number = number(of: "regionid") { numbers = [number] }
            for number in numbers {
                let lines: [StatisticsCounters]
                do throws(DMSetupFailed) {
                    lines = try ask(device) { statistics throws(DeviceMapperError) in
                        try statistics.counters(of: number, clearing: isCleared)
                    }
                } catch {
                    throw Self.failure("Could not print statistics region.")
                }
                for line in lines { print("\(line)") }
            }
        }
    }

    // MARK: Deletion

    func deleteRegions(_ word: String?) throws(DMSetupFailed) {
        guard options.has("regionid") || options.has("groupid") || options.has("allregions") else {
            throw Self.failure("Please specify a --regionid or --groupid, or use --allregions.")
        }
        if options.has("regionid"), options.has("groupid") {
            throw Self.failure("Please use one of --regionid and --groupid.")
        }
        try withChosenStatistics(of: word) { device throws(DMSetupFailed) in
            if let number = number(of: "groupid") { return try deleteGroup(number, of: device) }
            guard let number = number(of: "regionid") else {
                for region in try chosenRegions(device) { try delete(region.id, of: device) }
                return
            }
            do throws(DMSetupFailed) {
                try deleteRegion(number, of: device)
            } catch {
                throw Self.failure("Could not delete statistics region")
            }
        }
    }

    private func delete(_ region: UInt64, of device: DMSetupDevice) throws(DMSetupFailed) {
        try ask(device) { statistics throws(DeviceMapperError) in try statistics.delete(region) }
    }

    private func deleteRegion(_ number: UInt64, of device: DMSetupDevice) throws(DMSetupFailed) {
        let regions: [StatisticsRegion]
        do throws(DMSetupFailed) { regions = try chosenRegions(device) } catch {
            throw Self.failure("Could not obtain region list while deleting region ID \(number)")
        }
        if regions.isEmpty { throw Self.failure("Could not delete region ID \(number): no regions found") }
        guard regions.contains(where: { $0.id == number }) else {
            throw Self.failure("Region ID \(number) does not exist")
        }
        // A group without its first region is none; any other region only leaves it.
        for leader in regions where leader.id != number {
            var note = StatisticsNote(leader.note)
            guard let members = note.group?.members, members.contains(number) else { continue }
            note.group?.members = members.filter { $0 != number }
            let text = note.text
            try ask(device) { statistics throws(DeviceMapperError) in try statistics.setNote(text, of: leader.id) }
        }
        try delete(number, of: device)
    }

    /// Deletes a group and its regions.
    private func deleteGroup(_ number: UInt64, of device: DMSetupDevice) throws(DMSetupFailed) {
        let regions = try chosenRegions(device)
        guard let group = Self.group(number, in: regions) else {
            throw Self.failure("Could not delete statistics group.")
        }
        for member in group.members where regions.contains(where: { $0.id == member }) {
            try delete(member, of: device)
        }
        print("Deleted statistics group \(number).")
    }

    /// The group that begins with a region; `nil` after a message if there is none.
    static func group(_ number: UInt64, in regions: [StatisticsRegion]) -> StatisticsNote.Group? {
        if let leader = regions.first(where: { $0.id == number }), let group = StatisticsNote(leader.note).group {
            return group
        }
        let isBeyond = number > regions.last?.id ?? 0
        complain(isBeyond ? "Invalid group ID: \(number)" : "Group ID \(number) does not exist")
        return nil
    }
}
