import Glibc
import SystemPackage

/// How much more memory the process took at its peak than when this was made.
struct MemoryPeak {
    private let before: Int

    init() throws {
        // The kernel forgets the peak until here.
        let file = try FileDescriptor.open(
            FilePath("/proc/self/clear_refs"), .writeOnly, options: .closeOnExec)
        _ = try file.closeAfter { try file.writeAll("5".utf8) }
        before = try Self.field("VmRSS:")
    }

    /// The growth in bytes.
    func growth() throws -> Int { try Self.field("VmHWM:") - before }

    private static func field(_ name: String) throws -> Int {
        let status = try Program.output(["cat", "/proc/\(getpid())/status"])
        for line in String(decoding: status, as: UTF8.self).split(separator: "\n") where line.hasPrefix(name) {
            return (line.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Int($0) } ?? 0)
                << 10
        }
        throw Program.Failure(description: "the kernel says nothing about \(name)")
    }
}
