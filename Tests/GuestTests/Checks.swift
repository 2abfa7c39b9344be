import TestSupport

/// Counts the checks of a program that runs in the sandbox, and says how each went.
final class Checks {
    private(set) var passed = 0
    private(set) var failed = 0
    /// Says more where a check has failed.
    var explain: () -> Void = {}

    /// Shows the last lines of log files where a check has failed.
    ///
    /// - Parameter files: The paths of the files as words of the shell.
    func explain(by files: String, lines: Int = 5) {
        // A log that is not there yet explains nothing.
        explain = { say((try? Shell.run("tail -n \(lines) \(files) 2> /dev/null")) ?? "") }
    }

    /// Expects a text.
    func check(_ name: String, _ actual: String, _ expected: String) {
        if actual == expected {
            passed += 1
            say("ok: \(name)")
        } else {
            fail("\(name): expected\n\(expected)\nand not\n\(actual)")
        }
    }

    /// Expects that something is so.
    func check(_ name: String, _ isSo: Bool) {
        if isSo {
            passed += 1
            say("ok: \(name)")
        } else {
            fail(name)
        }
    }

    /// Counts a failure.
    func fail(_ what: String) {
        failed += 1
        say("FAILED: \(what)")
        explain()
    }

    /// Adds the figures of another program.
    func add(passed: Int, failed: Int) {
        self.passed += passed
        self.failed += failed
    }

    /// Waits until something is so; a failure if it does not become so.
    func wait(for what: String, _ limit: Duration = .seconds(60), _ condition: () throws -> Bool) throws {
        do {
            try Patience.until(limit, condition)
        } catch is Patience.TimedOut {
            throw CheckError("\(what) did not happen within \(limit)")
        }
    }
}

/// The reason why a program of tests cannot go on.
struct CheckError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
