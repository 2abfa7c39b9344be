internal import Glibc
internal import SystemPackage

/// A program of the user's that is told what happens to a pool.
///
/// It is not waited for: a program that hangs must not keep the pool from being made larger. What it prints goes to
/// standard error, because standard output is for the events.
struct PoolHook {
    private let program: FilePath

    init(_ program: FilePath) {
        self.program = program
    }

    func run(_ arguments: [String]) {
        // Those that have ended since the last time.
        while waitpid(-1, nil, WNOHANG) > 0 {}
        var words = unsafe ([program.string] + arguments).map { unsafe strdup($0) } + [nil]
        defer { unsafe words.forEach { unsafe free($0) } }
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO)
        var process: pid_t = 0
        let result = unsafe posix_spawnp(&process, program.string, &actions, nil, &words, environ)
        if result != 0 { Output.note("cannot run \(program): \(Errno(rawValue: result))") }
    }
}
