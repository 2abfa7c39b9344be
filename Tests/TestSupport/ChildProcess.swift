public import Glibc
import Synchronization
import SystemCalls
public import SystemPackage

/// A command of the shell that runs beside the caller.
public final class ChildProcess: Sendable {
    /// The process id: that of the shell, unless the command begins with `exec`.
    public let id: pid_t
    private let status = Mutex<Int?>(nil)

    /// Starts a command.
    ///
    /// - Parameters:
    ///   - command: The command, for `/bin/bash`.
    ///   - output: A file that gets its standard output and its standard error; `nil` leaves both as the caller has them.
    public init(_ command: String, output: FilePath? = nil) throws {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        if let output {
            unsafe posix_spawn_file_actions_addopen(&actions, 1, output.string, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
            unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        }
        // The caller's thread may block or ignore signals; the program must not.
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var (none, every) = (sigset_t(), sigset_t())
        unsafe sigemptyset(&none)
        unsafe sigfillset(&every)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &every)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var words = unsafe (["/bin/bash", "-c", command] as [String]).map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        var process: pid_t = 0
        try requireSuccess(unsafe posix_spawn(&process, "/bin/bash", &actions, &attributes, &words, environ))
        id = process
    }

    /// Sends a signal, unless the process has ended.
    public func send(_ signal: CInt) {
        status.withLock { if $0 == nil { _ = kill(id, signal) } }
    }

    /// Waits for the end.
    ///
    /// - Returns: The exit status, 128 + the signal if one ended it; `nil` when it still runs after `limit`.
    public func wait(_ limit: Duration) throws -> Int? {
        try waiting(until: .after(limit)) { () throws(Errno) in
            try status.withLock { known throws(Errno) in
                if known != nil { return known }
                var word: CInt = 0
                guard try systemCall({ unsafe waitpid(id, &word, WNOHANG) }) == id else { return nil }
                known = Int(word & 0x7f == 0 ? word >> 8 & 0xff : 128 + word & 0x7f)
                return known
            }
        }
    }

    /// Whether the process has not ended yet.
    public var isRunning: Bool {
        get throws { try wait(.zero) == nil }
    }

    /// Sends SIGTERM, waits for the end, and sends SIGKILL if it does not come.
    ///
    /// - Returns: The exit status.
    @discardableResult
    public func end() throws -> Int {
        send(SIGTERM)
        if let status = try wait(.seconds(30)) { return status }
        send(SIGKILL)
        return try wait(.seconds(30)) ?? -1
    }
}
