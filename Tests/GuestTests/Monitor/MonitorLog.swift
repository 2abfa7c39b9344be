import FoundationEssentials
import SystemPackage
import TestSupport

/// The events of a monitor in JSON, a line for each.
struct MonitorLog {
    /// One line.
    struct Line: Decodable {
        let event: String
        let message: String?
    }

    let path: FilePath

    /// All lines that are events; the file's other lines are messages for people.
    func lines() throws -> [Line] {
        try TextFile.read(path).lines.compactMap { line in
            // A line that is no event of the monitor is not counted.
            try? JSONDecoder().decode(Line.self, from: Data(line.utf8))
        }
    }

    /// How often the monitor has said an event, with these words in its message.
    func count(_ event: String, _ words: String = "") throws -> Int {
        try lines().count { $0.event == event && (words.isEmpty || $0.message?.places(of: words).isEmpty == false) }
    }

    /// The messages of an event.
    func messages(_ event: String) throws -> [String] {
        try lines().filter { $0.event == event }.compactMap(\.message)
    }

    /// The levels of use in the warnings, each line's first one, such as “data, more than 80 %”.
    func warnings(_ prefix: String) throws -> [String] {
        try messages("warning").compactMap { message in
            guard let start = message.places(of: prefix + "more than ").first else { return nil }
            let rest = String(decoding: Array(message.utf8)[start...], as: UTF8.self)
            guard let end = rest.places(of: " %").first else { return nil }
            return String(decoding: Array(rest.utf8)[..<(end + 2)], as: UTF8.self)
        }
    }
}
