internal import DeviceMapper

/// dmstats: the commands of `dmsetup stats` under a name of their own.
enum DMStats: ProgramByName {
    static var name: String { "dmstats" }

    static func run(_ arguments: [String]) -> CInt { DMSetup.run(arguments, prefix: "stats") }
}

/// The commands of `dmsetup stats`.
extension DMSetupSession {
    private static var statisticsCommands: [DMSetupCommand] {
        [
            DMSetupCommand("help", 0...Int.max) { session, _ in DMSetupHelp.printStatistics(session) },
            DMSetupCommand("version", 0...Int.max) { session, _ throws(DMSetupFailed) in try session.version() },
            DMSetupCommand(each: "create") { session, word, _ throws(DMSetupFailed) in
                try session.createRegions(word)
            },
            DMSetupCommand(each: "clear") { session, word, _ throws(DMSetupFailed) in try session.clearRegions(word) },
            DMSetupCommand(each: "delete") { session, word, _ throws(DMSetupFailed) in try session.deleteRegions(word)
            },
            DMSetupCommand(each: "print") { session, word, _ throws(DMSetupFailed) in try session.printRegions(word) },
            DMSetupCommand(each: "group") { session, word, _ throws(DMSetupFailed) in try session.groupRegions(word) },
            DMSetupCommand(each: "ungroup") { session, word, _ throws(DMSetupFailed) in
                try session.ungroupRegions(word)
            },
            DMSetupCommand("list", 0...Int.max) { session, words throws(DMSetupFailed) in
                try session.reportStatistics(words, StatisticsReport(session.options, isList: true))
            },
            DMSetupCommand("report", 0...Int.max) { session, words throws(DMSetupFailed) in
                try session.reportStatistics(words, StatisticsReport(session.options, isList: false))
            },
            DMSetupCommand("update_filemap", 0...Int.max) { _, _ throws(DMSetupFailed) in throw noFileMaps },
        ]
    }

    static var noFileMaps: DMSetupFailed { failure("Regions of files (--filemap) are not a part of this program.") }

    /// Runs a command of `stats`.
    func statistics(_ words: [String]) throws(DMSetupFailed) {
        guard let command = Self.statisticsCommands.first(where: { $0.name == words[0] }) else {
            throw Self.failure("Unknown stats command.\n\(DMSetupHelp.statistics)")
        }
        try checkStatisticsOptions()
        try command.run(self, Array(words.dropFirst()))
    }

    private func checkStatisticsOptions() throws(DMSetupFailed) {
        let unread = "Couldn't process command line."
        if let count = options.number("count"), count < 0 {
            throw Self.failure("Count must be zero or greater.\n\(unread)", isLast: true)
        }
        if let interval = options.number("interval"), interval <= 0 || interval > Int(Int32.max) {
            throw Self.failure("Interval must be a positive integer.\n\(unread)", isLast: true)
        }
        if let interval = options.text("interval"), CNumber.whole(interval) == nil {
            throw Self.failure("Interval must be a positive integer.\n\(unread)", isLast: true)
        }
        for (all, one) in [("allprograms", "programid"), ("allregions", "regionid")]
        where options.has(all) && options.has(one) {
            throw Self.failure("Please supply one of --\(all) and --\(one)")
        }
    }

    // MARK: Devices and regions

    /// The program whose regions are meant; `nil` for those of all programs.
    var program: String? {
        if options.has("allprograms") { return nil }
        let text = options.text("programid") ?? "dmstats"
        return text.isEmpty ? nil : text
    }

    /// The region or the group that an option names.
    func number(of option: String) -> UInt64? {
        options.number(option).map { UInt64(bitPattern: Int64($0)) }
    }

    /// Does something for the device that a word or an option names, else for every device.
    func withStatistics(
        of word: String?, _ work: (DMSetupDevice) throws(DMSetupFailed) -> Void
    ) throws(DMSetupFailed) {
        guard let device = try device(word) else { return try forEveryDevice(work) }
        try work(device)
    }

    /// The same, for a command that takes every device only where `--alldevices` says so.
    func withChosenStatistics(
        of word: String?, _ work: (DMSetupDevice) throws(DMSetupFailed) -> Void
    ) throws(DMSetupFailed) {
        if word == nil, !options.nameDevice, !options.has("alldevices") {
            throw Self.failure("Please specify device(s) or use --alldevices.")
        }
        try withStatistics(of: word, work)
    }

    /// The answer of a device's statistics, with dmsetup's line if the kernel refuses.
    func ask<Answer>(
        _ device: DMSetupDevice, _ question: (DeviceStatistics) throws(DeviceMapperError) -> Answer
    ) throws(DMSetupFailed) -> Answer {
        try send("message", device) { control throws(DeviceMapperError) in
            try question(DeviceStatistics(control, of: device.reference()))
        }
    }

    /// The regions of a device that the program of the command line has made.
    func chosenRegions(_ device: DMSetupDevice) throws(DMSetupFailed) -> [StatisticsRegion] {
        let program = program
        return try ask(device) { statistics throws(DeviceMapperError) in try statistics.regions(of: program) }
    }

    /// The name of a device, as people see it.
    func shownName(_ device: DMSetupDevice) throws(DMSetupFailed) -> String {
        if device.name != nil { return device.shown }
        guard let information = try information(on: device) else { return "" }
        return try shown("\(information.name)", "name")
    }
}
