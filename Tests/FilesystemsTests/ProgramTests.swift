import SystemPackage
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

    @Test func aProgramThatIsNotWantedIsKilled() {
        let begin = ContinuousClock.now
        #expect(throws: Errno.canceled) { try Program.run("/bin/sleep", ["60"]) { false } }
        #expect(ContinuousClock.now - begin < .seconds(30))
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
