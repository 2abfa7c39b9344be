import Glibc

/// Runs commands of other people's making, whose answers tests compare with ours.
public enum Shell {
    /// A command that did not end with status 0.
    public struct Failure: Error, CustomStringConvertible {
        /// The command, its status and what it printed.
        public let description: String
    }

    /// Runs a command of the shell.
    ///
    /// - Returns: Its standard output and standard error, without the last end of line.
    /// - Throws: ``Failure`` when the command ends with another status than 0.
    @discardableResult
    public static func run(_ command: String) throws -> String {
        let (status, output) = try runForStatus(command)
        guard status == 0 else {
            throw Failure(description: "“\(command)” ended with status \(status): \(output)")
        }
        return output
    }

    /// Runs a command of the shell that may fail.
    ///
    /// - Returns: Its exit status, 128 + the signal if it was killed; and its output as ``run(_:)`` returns it.
    public static func runForStatus(_ command: String) throws -> (status: Int, output: String) {
        let script = "export LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin\nexec 2>&1\n\(command)"
        // Tests run on threads that block all signals, and a shell that cannot be told of its children waits for ever.
        var (none, previous) = (sigset_t(), sigset_t())
        unsafe sigemptyset(&none)
        unsafe pthread_sigmask(SIG_SETMASK, &none, &previous)
        let stream = unsafe popen(script, "re")
        unsafe pthread_sigmask(SIG_SETMASK, &previous, nil)
        guard let stream = unsafe stream else { throw Failure(description: "“\(command)” did not start") }
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = unsafe fread(&buffer, 1, buffer.count, stream)
            if count == 0 { break }
            output += buffer[..<count]
        }
        let status = unsafe pclose(stream)
        if output.last == UInt8(ascii: "\n") { output.removeLast() }
        let exitStatus = status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
        return (Int(exitStatus), String(decoding: output, as: UTF8.self))
    }
}
