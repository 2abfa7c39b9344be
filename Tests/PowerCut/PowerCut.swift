import Glibc
import SystemPackage
import TestSupport

/// Cuts the power of stores at work: `scripts/powercut`, and what it starts in the sandbox.
@main
enum PowerCut {
    static func main() {
        let arguments = Array(CommandLine.arguments.dropFirst())
        do {
            exit(try run(arguments))
        } catch let error as RunOptions.UsageError {
            complain(error.message)
            exit(64)
        } catch {
            Sandbox.waitIfEnding()
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
        case ("run", _):
            let options = try RunOptions(Array(arguments.dropFirst()))
            guard !options.asksForHelp else {
                say(RunOptions.usage)
                return 0
            }
            return try PowerCutRun.carryOut(options)
        // The rest runs in the sandbox.
        case ("work-layers", 4):
            let tool = FilePath(CommandLine.arguments[0])
            try LayersGuest.work(tool, events: arguments[1], expectations: arguments[2], seed: number(arguments[3]))
        case ("work", 9):
            let log = try EventLog(FilePath(arguments[2]), device: arguments[3])
            let workload = try Workload(
                FilePath(arguments[1]), log, Expectations(TextFile.read(FilePath(arguments[4]))),
                process: Int(number(arguments[6])), seed: number(arguments[5]))
            try workload.run(threads: Int(number(arguments[7])), shutsDown: arguments[8] == "alone")
        case ("verify-layers", 4...):
            try LayersGuest.verify(
                program: FilePath(arguments[1]), seed: number(arguments[2]), directories: Array(arguments[3...]))
        case ("work-images", 3):
            try ImagesWork.run(program: FilePath(arguments[1]), seed: number(arguments[2]))
        case ("verify-images", 4...):
            try ImagesVerification.verify(program: FilePath(arguments[1]), directories: Array(arguments[3...]))
        case ("work-group", 4):
            var work = try GroupWork(
                program: FilePath(arguments[1]), lvm2: FilePath(arguments[2]), seed: number(arguments[3]))
            try work.run()
        case ("verify-group", 5...):
            try GroupGuest.verify(
                program: FilePath(arguments[1]), lvm2: FilePath(arguments[2]), seed: number(arguments[3]),
                directories: Array(arguments[4...]))
        default: throw RunOptions.UsageError(message: RunOptions.usage)
        }
        return 0
    }

    private static func number(_ text: String) throws -> UInt64 {
        guard let number = UInt64(text) else { throw PowerCutError("“\(text)” is no number") }
        return number
    }
}
