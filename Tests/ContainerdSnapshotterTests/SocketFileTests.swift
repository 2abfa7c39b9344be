#if Daemon
import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import ContainerdSnapshotter

/// Sockets where none can be.
struct SocketFileTests {
    private let folder: FilePath = FilePath("/tmp/socket-\(UInt32.random(in: .min ... .max))")

    private func refusal(_ path: FilePath) -> SnapshotterError? {
        do throws(SnapshotterError) {
            close(try SocketFile.bind(path))
            return nil
        } catch {
            return error
        }
    }

    @Test func saysHowLongAPathMayBe() throws {
        try Shell.run("mkdir \(folder)")
        defer { _ = try? Shell.run("rm -r \(folder)") }
        let name = String(repeating: "s", count: SocketFile.longestPath - folder.string.utf8.count - 1)
        #expect(refusal(folder.appending(name)) == nil)
        let error = refusal(folder.appending(name + "s"))
        #expect(error?.code == .invalidArgument)
        #expect(error?.description.contains("has 108 bytes, and that of a socket may have 107") == true)
    }

    @Test func saysWhatIsInTheWay() throws {
        let missing = refusal(folder.appending("more").appending("socket"))
        let advice = "make it with: mkdir -p \(folder)/more"
        #expect(missing?.description.hasSuffix(advice) == true, "\(missing?.description ?? "")")
        try Shell.run("mkdir \(folder) && touch \(folder)/file")
        defer { _ = try? Shell.run("rm -r \(folder)") }
        #expect(refusal(folder.appending("file"))?.description.contains("is no socket") == true)
        let within = refusal(folder.appending("file").appending("socket"))
        #expect(within?.description.contains("a part of the path is no folder") == true)

        let path = folder.appending("socket")
        let descriptor = try SocketFile.bind(path)
        #expect(refusal(path)?.description.contains("this service itself listens there already") == true)
        close(descriptor)
        // Nobody listens any more, and the file is still there.
        #expect(refusal(path) == nil)
    }
}
#endif
