import Glibc
import SystemCalls
import SystemPackage
import TestSupport
import Testing

@testable import Filesystems

@Suite struct ProgramTests {
    @Test(arguments: [
        ("echo out; echo err >&2; exit 3", 3, "out\nerr\n"), ("kill -9 $$", 137, ""),
        ("read x || echo none", 0, "none\n"),
    ])
    func reportsStatusAndOutput(script: String, status: Int, output: String) throws {
        let result = try Program.run("/bin/sh", ["-c", script])
        #expect(result.status == status)
        #expect(result.output == output)
    }

    @Test func readsMoreThanAPipeHolds() throws {
        let result = try Program.run("/bin/sh", ["-c", "head -c 1000000 /dev/zero; exit 5"])
        #expect(result.status == 5)
        #expect((65_536..<70_000).contains(result.output.utf8.count))
    }

    /// A pipe that a program inherits from another one that is started at the same time keeps the reader of its output
    /// waiting until both have ended.
    @Test func programsStartedAtOnceInheritNothingFromEachOther() throws {
        // A program that runs alone inherits the pipes that this process inherited itself.
        let expected = try Self.inheritedPipes()
        let found = onThreads(8) { _ in try (0..<30).map { _ in try Self.inheritedPipes() } }
        for pipes in try found.flatMap({ try $0.get() }) { #expect(pipes == expected) }
    }

    /// The pipes that a program has open, other than its output.
    private static func inheritedPipes() throws -> Set<String> {
        let output = try Program.run(
            "/bin/sh", ["-c", "for f in /proc/self/fd/*; do readlink $f; done; readlink /proc/self/fd/1"]
        )
        .output
        let names = output.split(separator: "\n").map(String.init)
        return Set(names.filter { $0.hasPrefix("pipe:") && $0 != names.last })
    }

    @Test func programsStartWithoutTheCallersSignals() throws {
        var (every, previous) = (sigset_t(), sigset_t())
        unsafe sigfillset(&every)
        unsafe pthread_sigmask(SIG_SETMASK, &every, &previous)
        let handler = signal(SIGUSR2, SIG_IGN)
        defer {
            signal(SIGUSR2, handler)
            unsafe pthread_sigmask(SIG_SETMASK, &previous, nil)
        }
        let script = "sed -n 's/^Sig\\(Blk\\|Ign\\):.*\\(........\\)$/\\2/p' /proc/self/status"
        let masks = try Program.run("/bin/sh", ["-c", script]).output.split(separator: "\n")
            .compactMap { UInt32($0, radix: 16) }
        // No program can change what happens with the signals of libc itself, the highest of these 32 among them.
        #expect(masks.map { $0 & 0x7fff_ffff } == [0, 0])
    }

    /// The second one has started another program, which keeps its output open.
    ///
    /// No zombie is left of it: a service would collect them, and a caller that waits for any child would find the same one for ever.
    @Test(arguments: ["echo $$ > FILE; exec sleep 60", "sleep 60 & echo $$ > FILE; sleep 60"])
    func aProgramThatIsNotWantedIsKilled(script: String) throws {
        let scratch = try ScratchDirectory()
        let file = scratch.appending("process")
        let begin = ContinuousClock.now
        #expect(throws: Errno.canceled) {
            try Program.run("/bin/sh", ["-c", script.replacing("FILE", with: "'\(file)'")]) {
                // The file is not there at first.
                (try? TextFile.read(file))?.last != "\n"
            }
        }
        #expect(ContinuousClock.now - begin < .seconds(30))
        let process = try #require(pid_t(TextFile.read(file).dropLast()))
        #expect(kill(process, 0) == -1 && errno == ESRCH)
    }

    @Test(arguments: [
        (
            "mke2fs 1.47.0 (5-Feb-2023)\n/usr/sbin/mkfs.ext4: invalid option -- 'Z'\nUsage: mkfs.ext4 [-c]\n",
            "/usr/sbin/mkfs.ext4: invalid option -- 'Z'"
        ),
        (
            "unknown option -d nonsense=1\nUsage: mkfs.xfs\n/* blocksize */ [-b size=num]\n",
            "unknown option -d nonsense=1"
        ),
        ("Usage: mkfs.ext4\n [-c]\n", "Usage: mkfs.ext4; [-c]"),
        (
            "mke2fs 1.47.0\nWriting superblocks: 0/40 \u{8}\nmkfs.ext4: Input/output error\n",
            "mkfs.ext4: Input/output error"
        ),
        ("", ""),
    ]) func saysInOneLineWhatIsWrong(output: String, complaint: String) {
        let type: FilesystemType = output.contains("xfs") ? .xfs : .ext4
        #expect(FilesystemMaker.complaint(of: type, in: output) == complaint)
    }

    @Test func aProgramThatIsMissing() {
        #expect(Program.find("mkfs.no-such-type") == nil)
        #expect(throws: Errno.noSuchFileOrDirectory) { try Program.run("/nonexistent", []) }
    }

    @Test func makingBtrfsIsRefused() {
        #expect { try FilesystemMaker.make(.btrfs, on: "/dev/null") } throws: {
            "\($0)" == "cannot make a btrfs on /dev/null: a store is made with ext4 or xfs"
        }
    }

    @Test func anErrorSaysWhatTheProgramPrinted() {
        #expect { try FilesystemMaker.make(.ext4, on: "/nonexistent/device") } throws: {
            "\($0)".contains("/nonexistent/device") && "\($0)".contains("it ended with status 1 and printed:")
        }
    }
}
