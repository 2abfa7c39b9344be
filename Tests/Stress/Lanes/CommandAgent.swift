import Glibc
import Synchronization
import SystemCalls
import SystemPackage
import TestSupport

/// A process that starts the commands of one lane.
///
/// A process that is being started has a copy of every open file of its parent for a moment, and keeps a layer in use with
/// it. So no process that works on a store with the library starts another one.
final class CommandAgent: Sendable {
    /// The result of one command.
    struct Answer {
        /// The exit status, 128 + the signal; -1 if the command did not end.
        let status: Int
        let output: String
    }

    private let orders: FilePath
    private let answers: FilePath
    private let output: FilePath
    private let process: ChildProcess
    private let writer: FileDescriptor
    private let reader: FileDescriptor

    /// Starts the agent.
    ///
    /// - Parameters:
    ///   - tool: This program.
    ///   - command: The program, with the options of all commands.
    ///   - place: The prefix of the names of the agent's files.
    init(tool: FilePath, command: String, place: FilePath) throws {
        (orders, answers) = (FilePath("\(place).orders"), FilePath("\(place).answers"))
        output = FilePath("\(place).output")
        try Shell.run("rm -f '\(orders)' '\(answers)'; mkfifo '\(orders)' '\(answers)'")
        process = try ChildProcess(
            "exec '\(tool)' agent \"\(command)\" '\(output)' < '\(orders)' > '\(answers)'")
        writer = try FileDescriptor.open(orders, .writeOnly, options: .closeOnExec)
        reader = try FileDescriptor.open(answers, .readOnly, options: .closeOnExec)
    }

    /// Runs a command of `dmlayer`.
    ///
    /// - Parameter kill: After how long it is killed; `nil` is never.
    func run(_ arguments: String, killingAfter kill: Duration?) throws -> Answer {
        let microseconds = kill.map { Int($0.components.attoseconds / 1_000_000_000_000) } ?? -1
        _ = try writer.writeAll("\(microseconds) \(arguments)\n".utf8)
        var line: [UInt8] = []
        while line.last != UInt8(ascii: "\n") {
            var byte: [UInt8] = [0]
            let count = try unsafe byte.withUnsafeMutableBytes { unsafe try reader.read(into: $0) }
            guard count == 1 else { throw StressError("the agent that starts commands has ended") }
            line += byte
        }
        guard let status = Int(String(decoding: line.dropLast(), as: UTF8.self)) else {
            throw StressError("the agent that starts commands answers “\(String(decoding: line, as: UTF8.self))”")
        }
        return Answer(status: status, output: try TextFile.read(output))
    }

    /// The agent itself: starts the commands of its standard input.
    static func serve(command: String, output: String) throws {
        while let line = readLine() {
            guard let space = line.firstIndex(of: " "), let delay = Int(line[..<space]) else { continue }
            let process = try ChildProcess(
                "exec \(command)\(line[space...])", output: FilePath(output))
            if delay >= 0 {
                pause(for: .microseconds(delay))
                process.send(SIGKILL)
            }
            say("\(try process.wait(.seconds(600)) ?? -1)")
        }
    }
}
