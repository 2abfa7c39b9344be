import Glibc
import SystemPackage

/// A program that is run to its end.
enum MeasuredProcess {
    /// The time and the memory of a run.
    struct Usage: Sendable {
        /// The time from its start to its end, in microseconds.
        let microseconds: Double
        /// The most memory that it had at a time, in bytes.
        let memory: Int
    }

    /// Runs a program with nothing to read, and what it prints thrown away.
    ///
    /// - Throws: `Errno` when it cannot be started, or fails.
    @discardableResult
    static func run(_ arguments: [String]) throws -> Usage {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        var argv: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe argv.forEach { unsafe free($0) } }

        let start = Clock.nanoseconds
        var process = pid_t()
        let result = unsafe posix_spawn(&process, arguments[0], &actions, nil, &argv, environ)
        guard result == 0 else { throw Errno(rawValue: result) }
        var status: CInt = 0
        var usage = rusage()
        while unsafe wait4(process, &status, 0, &usage) < 0 {
            guard errno == EINTR else { throw Errno(rawValue: errno) }
        }
        let elapsed = Clock.nanoseconds - start
        guard status == 0 else {
            throw Failure("“\(arguments.joined(separator: " "))” ended with wait status \(status)")
        }
        return Usage(microseconds: Double(elapsed) / 1000, memory: usage.ru_maxrss * 1024)
    }
}

/// Why a benchmark could not be run.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
