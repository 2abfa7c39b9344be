internal import DeviceMapper

/// A command of dmsetup.
struct DMSetupCommand {
    /// How a command takes its arguments.
    enum Work {
        /// All of them at once.
        case once((DMSetupSession, [String]) throws(DMSetupFailed) -> Void)
        /// One device after the other; the flag tells whether the name stands before what is printed about it.
        case each((DMSetupSession, String?, Bool) throws(DMSetupFailed) -> Void)
    }

    let name: String
    /// How many arguments it takes.
    let arguments: ClosedRange<Int>
    let work: Work

    init(
        _ name: String, _ arguments: ClosedRange<Int>,
        _ work: @escaping (DMSetupSession, [String]) throws(DMSetupFailed) -> Void
    ) {
        self.name = name
        self.arguments = arguments
        self.work = .once(work)
    }

    init(
        each name: String, from minimum: Int = 0,
        _ work: @escaping (DMSetupSession, String?, Bool) throws(DMSetupFailed) -> Void
    ) {
        self.name = name
        arguments = minimum...Int.max
        self.work = .each(work)
    }

    func run(_ session: DMSetupSession, _ words: [String]) throws(DMSetupFailed) {
        switch work {
        case .once(let work): try work(session, words)
        case .each(let work):
            let areSeveral = words.count > 1 || words.isEmpty && !session.options.nameDevice
            if words.isEmpty { return try work(session, nil, areSeveral) }
            for word in words { try work(session, word, areSeveral) }
        }
    }

    /// A row for each command.
    static var all: [DMSetupCommand] { changes + queries + cookies }

    private static var changes: [DMSetupCommand] {
        [
            DMSetupCommand("help", 0...0) { session, _ in DMSetupHelp.print(session) },
            DMSetupCommand("create", 0...2) { session, words throws(DMSetupFailed) in try session.create(words) },
            DMSetupCommand(each: "remove") { session, word, _ throws(DMSetupFailed) in try session.remove(word) },
            DMSetupCommand("remove_all", 0...0) { session, _ throws(DMSetupFailed) in try session.removeAll() },
            DMSetupCommand(each: "suspend") { session, word, _ throws(DMSetupFailed) in try session.suspend(word) },
            DMSetupCommand(each: "resume") { session, word, _ throws(DMSetupFailed) in try session.resume(word) },
            DMSetupCommand("load", 0...2) { session, words throws(DMSetupFailed) in try session.load(words) },
            DMSetupCommand("reload", 0...2) { session, words throws(DMSetupFailed) in try session.load(words) },
            DMSetupCommand(each: "clear") { session, word, _ throws(DMSetupFailed) in try session.clear(word) },
            DMSetupCommand(each: "wipe_table") { session, word, _ throws(DMSetupFailed) in try session.wipe(word) },
            DMSetupCommand("rename", 1...2) { session, words throws(DMSetupFailed) in try session.rename(words) },
            DMSetupCommand("message", 2...Int.max) { session, words throws(DMSetupFailed) in try session.message(words)
            },
        ]
    }

    private static var queries: [DMSetupCommand] {
        [
            DMSetupCommand("ls", 0...0) { session, _ throws(DMSetupFailed) in try session.list() },
            DMSetupCommand(each: "info") { session, word, _ throws(DMSetupFailed) in try session.info(word) },
            DMSetupCommand(each: "deps") { session, word, several throws(DMSetupFailed) in
                try session.deps(word, several)
            },
            DMSetupCommand("stats", 1...Int.max) { session, words throws(DMSetupFailed) in
                try session.statistics(words)
            },
            DMSetupCommand(each: "status") { session, word, several throws(DMSetupFailed) in
                try session.lines(.status, "status", word, several)
            },
            DMSetupCommand(each: "table") { session, word, several throws(DMSetupFailed) in
                try session.lines(.table, "table", word, several)
            },
            DMSetupCommand(each: "measure") { session, word, several throws(DMSetupFailed) in
                try session.lines(.measurement, "table", word, several)
            },
            DMSetupCommand("wait", 0...2) { session, words throws(DMSetupFailed) in try session.wait(words) },
            DMSetupCommand(each: "mknodes") { session, word, _ throws(DMSetupFailed) in try session.makeNodes(word) },
            DMSetupCommand(each: "mangle") { session, word, _ throws(DMSetupFailed) in try session.mangle(word) },
            DMSetupCommand(each: "target-version", from: 1) { session, word, _ throws(DMSetupFailed) in
                try session.targetVersion(word ?? "")
            },
            DMSetupCommand("targets", 0...0) { session, _ throws(DMSetupFailed) in try session.targets() },
            DMSetupCommand("version", 0...0) { session, _ throws(DMSetupFailed) in try session.version() },
            DMSetupCommand("setgeometry", 5...5) { session, words throws(DMSetupFailed) in
                try session.setGeometry(words)
            },
            DMSetupCommand("splitname", 1...2) { session, words throws(DMSetupFailed) in try session.splitName(words) },
        ]
    }
    private static var cookies: [DMSetupCommand] {
        [
            DMSetupCommand("udevcreatecookie", 0...0) { session, _ throws(DMSetupFailed) in try session.createCookie()
            },
            DMSetupCommand("udevreleasecookie", 0...1) { session, words throws(DMSetupFailed) in
                try session.releaseCookie(words.first)
            },
            DMSetupCommand("udevflags", 1...1) { session, words throws(DMSetupFailed) in
                try session.printFlags(words[0])
            },
            DMSetupCommand("udevcomplete", 1...1) { session, words throws(DMSetupFailed) in
                try session.completeCookie(words[0])
            },
            DMSetupCommand("udevcomplete_all", 0...1) { session, words throws(DMSetupFailed) in
                try session.completeAllCookies(words.first)
            },
            DMSetupCommand("udevcookies", 0...0) { session, _ throws(DMSetupFailed) in try session.printCookies() },
        ]
    }
}
