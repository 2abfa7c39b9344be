internal import Synchronization
internal import SystemCalls
public import SystemPackage

/// A program of the user that is told about each event of a pool.
///
/// The monitor does not wait for the program, because a program that hangs must not keep the pool from growing. The output
/// of the program goes to standard error, because standard output is for the events.
public final class PoolHook: Sendable {
    private let program: FilePath
    /// The programs of earlier events that were not seen to end.
    private let running = Mutex<[pid_t]>([])

    /// Names the program; a name without a slash is looked up in `PATH`.
    public init(_ program: FilePath) {
        self.program = program
    }

    /// Starts the program with the kind of the event, the name of the pool and the message.
    ///
    /// - Throws: The error number, when the program cannot be started.
    public func run(_ event: PoolEvent, pool: String) throws(Errno) {
        // Other children belong to the program that uses this library.
        running.withLock { $0.removeAll { waitpid($0, nil, WNOHANG) != 0 } }
        let arguments = [program.string, event.kind.rawValue, pool, event.message]
        var words = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
        var process: pid_t = 0
        let result = unsafe posix_spawnp(&process, program.string, &actions, nil, &words, environ)
        guard result == 0 else { throw Errno(rawValue: result) }
        running.withLock { $0.append(process) }
    }
}
