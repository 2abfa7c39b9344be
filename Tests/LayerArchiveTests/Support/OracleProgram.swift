import Glibc
import SystemPackage

/// Runs programs that others wrote, which judge ours.
enum Program {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// Whether a program of this name can be run.
    static func isInstalled(_ name: String) -> Bool {
        (try? status(["sh", "-c", "command -v \"$1\" >/dev/null", "sh", name])) == 0
    }

    /// Runs a program, which must succeed.
    static func run(_ arguments: [String], input: FileDescriptor? = nil, output: FileDescriptor? = nil) throws {
        let status = try status(arguments, input: input, output: output)
        guard status == 0 else { throw Failure(description: "\(arguments) ended with \(status)") }
    }

    /// Runs a program, which must succeed, and returns what it prints.
    static func output(_ arguments: [String], input: [UInt8]? = nil) throws -> [UInt8] {
        let output = try temporaryFile()
        defer { try? output.close() }
        let file = try temporaryFile()
        defer { try? file.close() }
        try file.writeAll(input ?? [])
        try file.seek(offset: 0, from: .start)
        try run(arguments, input: file, output: output)
        try output.seek(offset: 0, from: .start)
        return try output.readToEnd()
    }

    /// A file without a name.
    private static func temporaryFile() throws -> FileDescriptor {
        var template = Array("\(TemporaryDirectory.parent)/layer-archive-XXXXXX".utf8CString)
        let descriptor = unsafe mkstemp(&template)
        guard descriptor >= 0 else { throw Errno(rawValue: errno) }
        unsafe unlink(template)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        return FileDescriptor(rawValue: descriptor)
    }

    /// Runs a script of the shell in a directory.
    static func shell(_ script: String, in directory: FilePath) throws {
        try run(["sh", "-euc", "cd \"$1\"\n" + script, "sh", directory.string])
    }

    private static func status(
        _ arguments: [String], input: FileDescriptor? = nil, output: FileDescriptor? = nil
    ) throws -> CInt {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        if let input { unsafe posix_spawn_file_actions_adddup2(&actions, input.rawValue, 0) }
        if let output { unsafe posix_spawn_file_actions_adddup2(&actions, output.rawValue, 1) }
        var strings: [UnsafeMutablePointer<CChar>?] = unsafe arguments.map { unsafe strdup($0) } + [nil]
        defer { unsafe strings.forEach { unsafe free($0) } }
        var process: pid_t = 0
        let error = unsafe posix_spawnp(&process, arguments[0], &actions, nil, &strings, environ)
        guard error == 0 else { throw Errno(rawValue: error) }
        var status: CInt = 0
        while unsafe waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { throw Errno(rawValue: errno) }
        }
        return status & 0x7f == 0 ? status >> 8 & 0xff : -(status & 0x7f)
    }
}

extension FileDescriptor {
    func readToEnd() throws -> [UInt8] {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe read(into: $0) }
            guard count > 0 else { return all }
            all += buffer.prefix(count)
        }
    }
}
