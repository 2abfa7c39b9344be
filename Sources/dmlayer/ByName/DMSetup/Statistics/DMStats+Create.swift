internal import DeviceMapper

/// The regions that `stats create` makes on each device.
private struct NewRegions {
    var start: UInt64?
    var length: UInt64?
    var division = StatisticsDivision.areas(1)
    var isPrecise = false
    var boundaries: [UInt64] = []
    var program: String?
    var note: String?

    init(_ options: DMSetupOptions) throws(DMSetupFailed) {
        start = try Self.sectors("start", options)
        length = try Self.sectors("length", options)
        if let size = try Self.sectors("areasize", options) {
            division = .length(Sectors(size))
        } else if let count = options.number("areas"), count != 0 {
            division = .areas(UInt64(bitPattern: Int64(count)))
        }
        let bounds = try options.text("bounds").map { text throws(DMSetupFailed) in try Self.bounds(text) } ?? []
        // Without nanoseconds, the kernel compares whole milliseconds.
        isPrecise = options.has("precise") || bounds.contains { $0 % 1_000_000 != 0 }
        boundaries = isPrecise ? bounds : bounds.map { $0 / 1_000_000 }
        let name = options.text("programid") ?? "dmstats"
        program = name.isEmpty ? nil : name
        note = options.text("userdata").flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func sectors(_ option: String, _ options: DMSetupOptions) throws(DMSetupFailed) -> UInt64? {
        guard let text = options.text(option) else { return nil }
        guard let size = SizeUnits.sectors(text, standard: "s") else {
            throw DMSetupSession.failure("Invalid \(option) argument: \"\(text)\"")
        }
        return UInt64(exactly: size.rounded(.down)) ?? .max
    }

    /// Reads the boundaries of a histogram, in nanoseconds.
    private static func bounds(_ text: String) throws(DMSetupFailed) -> [UInt64] {
        let units: [(name: String, length: UInt64)] = [
            ("ns", 1), ("us", 1000), ("ms", 1_000_000), ("s", 1_000_000_000),
        ]
        // A number without a unit has that of the number before.
        var unit: UInt64 = 1
        var bounds: [UInt64] = []
        for (index, part) in text.split(separator: ",", omittingEmptySubsequences: false).enumerated() {
            let digits = part.prefix { $0.isNumber }
            let rest = part.dropFirst(digits.count)
            if digits.isEmpty, rest.isEmpty, index == 0, !text.isEmpty {
                throw DMSetupSession.failure("Empty histogram bin not allowed: \(text)")
            }
            let found = units.first { $0.name == rest }
            guard rest.isEmpty || found != nil, !text.isEmpty else {
                throw DMSetupSession.failure("Invalid character in histogram: \(rest.first.map(String.init) ?? " ")")
            }
            if let found { unit = found.length }
            bounds.append((UInt64(digits) ?? 0).multipliedReportingOverflow(by: unit).partialValue)
        }
        return bounds
    }

    var areInOrder: Bool { zip(boundaries, boundaries.dropFirst()).allSatisfy { $0 < $1 } }
}

extension DMSetupSession {
    private func checkCreation(_ word: String?) throws(DMSetupFailed) {
        if options.has("allregions") { throw Self.failure("Cannot use --allregions with create.") }
        if options.has("allprograms") { throw Self.failure("Cannot use --allprograms with create.") }
        if options.has("filemap") { throw Self.noFileMaps }
        if word == nil, !options.nameDevice, !options.has("alldevices") {
            throw Self.failure("Please specify device(s) or use --alldevices.")
        }
        if options.has("alias"), options.has("nogroup") { throw Self.failure("Cannot set alias with --nogroup.") }
        if options.has("areas"), options.has("areasize") {
            throw Self.failure("Please specify one of --areas and --areasize.")
        }
        if options.text("programid") == "", !options.has("force") {
            throw Self.failure("Creating a region with no program id requires --force.")
        }
    }

    func createRegions(_ word: String?) throws(DMSetupFailed) {
        try checkCreation(word)
        let new = try NewRegions(options)
        let alias = try alias()
        try withStatistics(of: word) { device throws(DMSetupFailed) in
            let table = try send("table", device) { control throws(DeviceMapperError) in
                try control.lines(of: device.reference(), .table, flushing: true)
            }
            let name = try shown("\(table.information.name)", "name")
            let size = table.lines.map { $0.start.count + $0.length.count }.max() ?? 0
            let isDivided = options.has("segments")
            var ranges: [Range<Sectors>?] =
                isDivided ? table.lines.map { $0.start..<Sectors($0.start.count + $0.length.count) } : []
            if ranges.isEmpty { ranges = [Self.range(new, size)] }
            var numbers: [UInt64] = []
            for range in ranges { numbers.append(try createRegion(new, range, on: device, name)) }
            if isDivided, !options.has("nogroup") { try group(numbers, on: device, alias) }
        }
    }

    /// The sectors of a region; `nil` for the whole device.
    private static func range(_ new: NewRegions, _ size: UInt64) -> Range<Sectors>? {
        let start = new.start ?? 0
        let length = new.length ?? 0
        if start == 0, length == 0 { return nil }
        let (end, isTooLong) = start.addingReportingOverflow(length == 0 ? size : length)
        return Sectors(start)..<Sectors(isTooLong ? .max : end)
    }

    private func createRegion(
        _ new: NewRegions, _ range: Range<Sectors>?, on device: DMSetupDevice, _ name: String
    ) throws(DMSetupFailed) -> UInt64 {
        let number: UInt64
        do throws(DMSetupFailed) {
            guard new.areInOrder else {
                throw Self.failure("Histogram boundaries must be in order of increasing magnitude.")
            }
            number = try ask(device) { statistics throws(DeviceMapperError) in
                try statistics.makeRegion(
                    range, division: new.division, precise: new.isPrecise, boundaries: new.boundaries,
                    program: new.program, note: new.note)
            }
        } catch {
            throw Self.failure("\(name): Could not create statistics region.")
        }
        let program = new.program
        let regions = try ask(device) { statistics throws(DeviceMapperError) in try statistics.regions(of: program) }
        let areas = regions.first { $0.id == number }.map(\.areaCount) ?? 0
        print("\(name): Created new region with \(areas) area(s) as region ID \(number)")
        return number
    }

    private func group(_ numbers: [UInt64], on device: DMSetupDevice, _ alias: String) throws(DMSetupFailed) {
        let list = numbers.map { "\($0)" }.joined(separator: ",")
        do throws(DMSetupFailed) {
            let leader = try makeGroup(numbers.sorted(), of: chosenRegions(device), on: device, alias)
            let suffix = options.has("alias") ? " with alias \(alias)" : ""
            print("Grouped regions \(list) as group ID \(leader)\(suffix)")
        } catch {
            throw Self.failure("Failed to create group for regions \(list).")
        }
    }
}

extension StatisticsRegion {
    /// How many areas the region has.
    var areaCount: Int {
        let length = range.upperBound.count - range.lowerBound.count
        return Int(clamping: (length + max(1, areaLength.count) - 1) / max(1, areaLength.count))
    }
}
