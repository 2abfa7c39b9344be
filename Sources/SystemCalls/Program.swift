package import SystemPackage

/// A program that is run and waited for: `mkfs.*` for a store, and this program itself for a report.
package enum Program {
    /// The path of a program, in `PATH` or where the system's administrator's programs are.
    package static func find(_ name: String) -> FilePath? {
        let path = unsafe getenv("PATH").map { unsafe String(cString: $0) } ?? ""
        let directories = path.split(separator: ":").map(String.init) + ["/usr/sbin", "/sbin", "/usr/local/sbin"]
        return directories.map { FilePath($0).appending(name) }.first { unsafe access($0.string, X_OK) == 0 }
    }

    /// How often a caller that wants to see to something while a program runs can do so, in milliseconds.
    private static let interval: CInt = 50

    /// Runs a program without input.
    ///
    /// - Parameters:
    ///   - program: The program's path.
    ///   - arguments: Its arguments.
    ///   - longestOutput: How many bytes of its output are kept.
    ///   - isWanted: Is asked again and again, at least each twentieth of a second, until the program has ended. When it
    ///     answers no, the program is killed.
    /// - Returns: Its exit status, or 128 and the number of the signal that ended it, and what it printed.
    /// - Throws: `ECANCELED` when the program was killed because it was not wanted any more. A program that
    ///   has not ended two seconds later is left to run, and becomes a zombie.
    package static func run(
        _ program: FilePath, _ arguments: [String], longestOutput: Int = 1 << 16, isWanted: () -> Bool = { true }
    ) throws(Errno) -> (status: Int, output: String) {
        do {
            // A program that another thread starts at this moment must not keep the pipe open.
            let (output, input) = try FileDescriptor.pipe(options: .closeOnExec)
            defer { try? output.close() }
            let process: pid_t
            do {
                defer { try? input.close() }
                process = try spawn(program, arguments, output: input)
            }
            var killed: ContinuousClock.Instant?
            var text: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                var request = pollfd(fd: output.rawValue, events: Int16(POLLIN), revents: 0)
                let isReadable = unsafe poll(&request, 1, interval) > 0
                if let killed {
                    // A program that it has started may keep its output open. A program that waits for a device ends when the
                    // device answers.
                    let isOver = try hasEnded(process)
                    guard !isOver, ContinuousClock.now - killed < .seconds(2) else { throw Errno.canceled }
                } else if !isWanted() {
                    killed = .now
                    kill(process, SIGKILL)
                }
                guard isReadable else { continue }
                let count = try unsafe buffer.withUnsafeMutableBytes({ try unsafe output.read(into: $0) })
                guard count > 0 else { break }
                // The rest is read so that the program does not wait, and dropped.
                if text.count < longestOutput { text += buffer[..<count] }
            }
            var status: CInt = 0
            try systemCall { unsafe waitpid(process, &status, 0) }
            if killed != nil { throw Errno.canceled }
            let signal = status & 0x7f
            return (Int(signal == 0 ? status >> 8 & 0xff : 128 + signal), String(decoding: text, as: UTF8.self))
        } catch {
            throw (error as? Errno) ?? .ioError
        }
    }

    /// Whether a program has ended; the kernel then forgets its process.
    private static func hasEnded(_ process: pid_t) throws(Errno) -> Bool {
        var status: CInt = 0
        return try systemCall { unsafe waitpid(process, &status, WNOHANG) } == process
    }

    private static func spawn(
        _ program: FilePath, _ arguments: [String], output: FileDescriptor
    ) throws(Errno) -> pid_t {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        unsafe posix_spawn_file_actions_adddup2(&actions, output.rawValue, 1)
        unsafe posix_spawn_file_actions_adddup2(&actions, output.rawValue, 2)
        // A thread that blocks or ignores signals must not start a program that cannot be interrupted.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        unsafe sigemptyset(&none)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        var every = sigset_t()
        unsafe sigfillset(&every)
        unsafe posix_spawnattr_setsigdefault(&attributes, &every)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var words = unsafe ([program.string] + arguments).map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        var process: pid_t = 0
        let result = unsafe posix_spawn(&process, program.string, &actions, &attributes, &words, environ)
        guard result == 0 else { throw Errno(rawValue: result) }
        return process
    }
}
