import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import LayerStore

/// Directories of small files.
struct DurableDirectoryTests {
    let scratch: ScratchDirectory
    let directory: DurableDirectory

    init() throws {
        scratch = try ScratchDirectory()
        directory = try DurableDirectory(scratch.path)
    }

    private func opening(_ path: FilePath, _ flags: CInt) throws -> CInt {
        let descriptor = unsafe open(path.string, flags)
        return try #require(descriptor >= 0 ? descriptor : nil)
    }

    @Test func replacesFilesAsAWhole() throws {
        try directory.write("a", Array("first, which is longer".utf8))
        try directory.write("a", Array("second".utf8))
        #expect(try directory.read("a") == Array("second".utf8))
        #expect(try directory.read("b") == nil)
        #expect(try Shell.run("ls -A '\(scratch.path)'") == "a")
        #expect(try Shell.run("stat --format=%a '\(scratch.appending("a"))'") == "600")
        let large = [UInt8](repeating: 7, count: 100_000)
        try directory.write("a", large)
        #expect(try directory.read("a") == large)
    }

    @Test func namesNoDirectoriesAndNoLeftovers() throws {
        try Shell.run("cd '\(scratch.path)' && mkdir directory && touch .tmp123 .hidden b a")
        #expect(try directory.names().sorted() == [".hidden", "a", "b"])
        try directory.removeTemporaryFiles()
        #expect(try Shell.run("ls -A '\(scratch.path)' | sort | tr '\\n' ' '").contains(".tmp") == false)
    }

    /// A listing that ends early would let live layers count as removed.
    ///
    /// Through a descriptor of this kind, reading fails.
    @Test func failsWhereAListingCannotBeRead() throws {
        let descriptor = try opening(scratch.path, O_DIRECTORY | 0o10_000_000)
        #expect(throws: Errno.badFileDescriptor) {
            try DurableDirectory.names(in: FileDescriptor(rawValue: descriptor))
        }
    }

    @Test func marksRenamesAndRemoves() throws {
        try directory.mark("a")
        try directory.mark("a")
        try directory.rename("a", to: "b")
        #expect(try directory.names() == ["b"])
        try directory.remove("b")
        try directory.remove("b")
        try directory.synchronize()
        #expect(try directory.names().isEmpty)
        #expect(throws: LayerStoreError.self) { try directory.rename("a", to: "b") }
    }

    @Test(arguments: ["ln -s /etc/passwd x", "mkdir x", "truncate --size=2M x"])
    func refusesWhatIsNoSmallFile(command: String) throws {
        try Shell.run("cd '\(scratch.path)' && \(command)")
        #expect {
            try directory.read("x")
        } throws: {
            "\($0)".contains(scratch.appending("x").string)
        }
    }

    @Test func doesNotWaitForAPipe() throws {
        try Shell.run("mkfifo '\(scratch.appending("x"))'")
        #expect(try directory.read("x") == [])
    }

    @Test func saysWhichDirectoryIsMissing() {
        #expect {
            try DurableDirectory(scratch.appending("missing"))
        } throws: {
            "\($0)".contains("\(scratch.appending("missing"))")
        }
    }
}
