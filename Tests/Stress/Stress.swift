import Glibc
import SystemPackage
import TestSupport

/// Starts operations on one store at the same time: `scripts/stress`, and what it starts in the sandbox.
@main
enum Stress {
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            exit(try run(arguments))
        } catch let error as StressOptions.UsageError {
            complain(error.message)
            exit(64)
        } catch {
            complain("\(error)")
            exit(1)
        }
    }

    private static func complain(_ message: String) {
        // Without a standard error there is nobody to tell.
        _ = try? FileDescriptor.standardError.writeAll("\(message)\n".utf8)
    }

    private static func run(_ arguments: [String]) throws -> CInt {
        switch (arguments.first, arguments.count) {
        case ("usage", 2...):
            // The script asks before it makes a disk.
            if arguments.contains("--help") {
                say(StressOptions.usage)
            } else {
                _ = try StressOptions(Array(arguments.dropFirst()))
            }
        case ("run", 2...):
            var run = StressRun(
                try StressOptions(Array(arguments.dropFirst(2))), program: FilePath(arguments[1]))
            return try run.carryOut()
        case ("lanes", 2):
            guard let process = Int(arguments[1]) else { throw StressError("“\(arguments[1])” is no number") }
            return try LaneProcess(RoundSettings(from: "/run/stress/settings"), process: process).run()
        case ("agent", 3):
            try CommandAgent.serve(command: arguments[1], output: arguments[2])
        default: throw StressOptions.UsageError(message: StressOptions.usage)
        }
        return 0
    }
}
