import SystemPackage
import TestSupport
import Testing

/// The sessions in README.md: the blocks that are marked as `console` print what the page shows.
@Suite(.serialized) struct ReadmeSessionTests {
    /// Substitutions for text that differs from run to run: the store's device names and numbers, times, used space.
    private static let masks = [
        #"s/docker-[0-9]+:[0-9]+-[0-9]+/docker-N/g"#, #"s,/dev/(loop|dm-)[0-9]+,/dev/\1N,g"#,
        #"s/"(created|mapped_bytes)" : [0-9]+/"\1" : N/"#, #"s/(Space (Used|Available)): .*/\1: N/"#, #"s/ +$//"#,
    ]

    /// The blocks of a page that are marked as sessions.
    private static func sessions(of page: String) -> [String] {
        page.components(between: "```console\n", and: "```")
    }

    @Test func thePagePrintsWhatTheProgramPrints() throws {
        let page = try TextFile.read(ProjectFolder.path.appending("README.md"))
        let sessions = Self.sessions(of: page)
        #expect(sessions.count >= 2)
        for session in sessions {
            let scratch = try ScratchDirectory()
            let commands = session.split(separator: "\n").filter { $0.hasPrefix("# ") }.map { $0.dropFirst(2) }
            let masked = try Self.run(commands, root: scratch.appending("store"))
            let expected = try Self.masked(session)
            #expect(masked == expected, "README.md shows:\n\(expected)\nand the program prints:\n\(masked)")
        }
    }

    /// The masks hide only what varies.
    @Test func masksOnlyWhatVaries() throws {
        #expect(try Self.masked("docker-0:23-2-web 2.147GB /dev/dm-1") == "docker-N-web 2.147GB /dev/dm-N")
        #expect(
            try Self.masked("Data Space Used: 1GB\nData Space Total: 4GB")
                == "Data Space Used: N\nData Space Total: 4GB")
    }

    private static func run(_ commands: [Substring], root: FilePath) throws -> String {
        var script = "dmlayer() { '\(DMLayerCommand.path)' --root '\(root)' \"$@\"; }\n"
        for command in commands {
            let own = command.split(separator: "/var/lib/dmlayer", omittingEmptySubsequences: false)
            script += "cat <<'END'\n# \(command)\nEND\n{ \(own.joined(separator: "\(root)")); } 2>&1\n"
        }
        let output = try Shell.run(script)
        return try masked(
            output.split(separator: "\(root)", omittingEmptySubsequences: false).joined(separator: "/var/lib/dmlayer")
        )
    }

    private static func masked(_ text: String) throws -> String {
        let expressions = masks.map { "-e '\($0)'" }.joined(separator: " ")
        return try Shell.run("sed -E \(expressions) <<'END'\n\(text)\nEND").trimmed
    }
}

extension String {
    /// The parts of the text between a beginning and an end.
    fileprivate func components(between start: String, and end: String) -> [String] {
        var result: [String] = []
        var rest = self[...]
        while let begin = rest.firstRange(of: start), let stop = rest[begin.upperBound...].firstRange(of: end) {
            result.append(String(rest[begin.upperBound..<stop.lowerBound]))
            rest = rest[stop.upperBound...]
        }
        return result
    }

    /// The text without the ends of lines at its end.
    fileprivate var trimmed: String {
        var rest = self[...]
        while rest.last == "\n" { rest = rest.dropLast() }
        return String(rest)
    }
}
