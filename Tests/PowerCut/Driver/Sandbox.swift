import Glibc
import Synchronization
import SystemCalls
import SystemPackage
import TestSupport

/// The kernels that one run of `scripts/powercut` starts, one at a time, and its folder of work.
///
/// SIGINT and SIGTERM end the kernel, remove the folder and end this process.
final class Sandbox: Sendable {
    /// The folder of work.
    let work: FilePath
    private let kernel: String
    /// How many processors a kernel in QEMU has; `nil` is User-Mode Linux.
    private let processors: Int?
    private let current = Mutex<ChildProcess?>(nil)

    private static let isEnding = Atomic(false)

    /// Does not return when a signal is ending this process: what fails then fails because of the signal.
    static func waitIfEnding() {
        while isEnding.load(ordering: .acquiring) { pause(for: .seconds(1)) }
    }

    init(kernel: String, processors: Int?) throws {
        self.kernel = kernel
        self.processors = processors
        work = FilePath(try Shell.run("mktemp -d \"${TMPDIR:-/tmp}/powercut.XXXXXX\""))
        try Shell.run("mkdir '\(work)/tmp' '\(work)/run'")
        endOnSignals()
    }

    /// Ends the kernel if one runs, and removes the folder of work.
    func remove() {
        // A kernel that cannot be ended ends by its timeout.
        _ = try? current.withLock { $0 }?.end()
        // The program ends now. A folder that stays in the place for temporary files is no reason to fail.
        _ = try? Shell.run("rm -rf '\(work)'")
    }

    /// Starts a program in a sandbox.
    ///
    /// - Parameters:
    ///   - disks: The files of its disks.
    ///   - log: The file of one more disk, which loses nothing in a power cut.
    ///   - isWork: Whether this is the work that is cut, and not a judgement, which User-Mode Linux does faster.
    ///   - timeout: After how many seconds it is ended.
    ///   - command: The program and its arguments, for the shell.
    ///   - output: Where its output goes; `nil` is this process's.
    func start(
        disks: [FilePath], log: FilePath? = nil, isWork: Bool = false, timeout: Int, _ command: String,
        output: FilePath? = nil
    ) throws -> ChildProcess {
        var words = disks.map { "--disk '\($0)'" }
        if let log { words.append("--safe-disk '\(log)'") }
        if let processors, isWork { words.append("--cpus \(processors)") }
        let options = words.joined(separator: " ")
        return try current.withLock {
            let process = try ChildProcess(
                """
                TMPDIR='\(work)/tmp' exec scripts/sandbox --kernel '\(kernel)' --writable '\(work)' --memory 1G \
                    --timeout \(timeout) \(options) -- \(command)
                """, output: output)
            $0 = process
            return process
        }
    }

    /// Runs a program in a sandbox.
    ///
    /// - Returns: Its exit status.
    func run(
        disks: [FilePath], log: FilePath? = nil, isWork: Bool = false, timeout: Int, _ command: String,
        output: FilePath? = nil
    ) throws -> Int {
        let process = try start(
            disks: disks, log: log, isWork: isWork, timeout: timeout, command, output: output)
        // The sandbox ends the program itself; what is more is for its own start and end.
        guard let status = try process.wait(.seconds(timeout + 120)) else {
            throw PowerCutError("the sandbox does not end")
        }
        return status
    }

    /// Kills the kernel, as a power cut does.
    func cutPower() {
        current.withLock { $0 }?.send(SIGUSR1)
    }

    private func endOnSignals() {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM] { unsafe sigaddset(&signals, signal) }
        // All threads of this process inherit this, and a thread of its own waits for the signals.
        unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
        startThread { [self, signals] in
            var (awaited, signal) = (signals, CInt(0))
            unsafe sigwait(&awaited, &signal)
            Self.isEnding.store(true, ordering: .releasing)
            remove()
            exit(128 + signal)
        }
    }
}
