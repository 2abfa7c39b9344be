internal import Glibc
internal import SystemPackage

/// A program of the user's that is told what happens to a pool.
///
/// It is not waited for: a program that hangs must not keep the pool from being made larger.
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
        var process: pid_t = 0
        let result = unsafe posix_spawnp(&process, program.string, nil, nil, &words, environ)
        if result != 0 { Output.note("cannot run \(program): \(Errno(rawValue: result))") }
    }
}
