import SystemPackage
import TestSupport
import Testing

/// The program called by the names of thin-provisioning-tools 1.1.0, beside these where they are in .cache.
struct ThinToolAgreementTests {
    private static let tools = ProjectFolder.path.appending(".cache/thin-provisioning-tools-1.1.0/usr/sbin")
    private static let hasTools = (try? Stat(tools)) != nil

    private let scratch: ScratchDirectory

    init() throws {
        scratch = try ScratchDirectory()
        let own = try Self.program()
        try Shell.run(
            """
            cd '\(scratch.path)' && mkdir ours
            for name in thin_restore thin_repair thin_metadata_size; do ln -s '\(own)' "ours/$name"; done
            truncate --size=4M output && truncate --size=0 empty && truncate --size=40k small
            xz -dc '\(ProjectFolder.path)/fixtures/thin-metadata/metadata.xz' > metadata
            echo '<superblock uuid="" time="0" transaction="0" data_block_size="128" nr_data_blocks="9">' > begun
            echo '<superblock time="0" transaction="0" data_block_size="128" nr_data_blocks="9">' > missing
            echo '<superblock uuid="" time="0" transaction="0" data_block_size="128" nr_data_blocks="9" x="1">' > unknown
            """)
    }

    /// The tests and the program are built into one folder.
    private static func program() throws -> String {
        try Shell.run("echo \"$(dirname \"$(readlink /proc/$PPID/exe)\")/dmlayer\"")
    }

    private func run(_ command: String, in folder: String) throws -> String {
        let (status, output) = try Shell.runForStatus("cd '\(scratch.path)' && PATH=\(folder):$PATH && \(command)")
        return "\(output)\nstatus \(status)"
    }

    /// A document that is cut off costs nothing that is on the output.
    @Test func keepsTheOutputWhereTheDocumentIsCutOff() throws {
        let answer = try run(
            "cp metadata kept && thin_restore -i begun -o kept; echo $?; cmp kept metadata", in: "\(scratch.path)/ours")
        #expect(answer.contains("the document ends too early"), "\(answer)")
        #expect(answer.hasSuffix("status 0"), "\(answer)")
    }

    /// The document comes through a pipe, which can be read only once.
    @Test func keepsTheOutputWhereAPipeIsCutOff() throws {
        let restore = "'\(try Self.program())' metadata restore -i /dev/stdin -o kept"
        let answer = try run(
            """
            cp metadata kept
            cat begun | \(restore) --force; echo $?; cmp kept metadata && echo unchanged
            cat begun | TMPDIR=/nowhere \(restore) --force; echo $?; cmp kept metadata && echo unchanged
            truncate -s 32M kept
            thin_dump metadata | \(restore) --force && thin_check -q kept && echo restored
            truncate -s 0 kept; truncate -s 32M kept
            thin_dump metadata | TMPDIR=/nowhere \(restore) && thin_check -q kept && echo restored
            ls -A /var/tmp | grep -c '^[.]dmlayer-'
            """, in: "/usr/sbin")
        let lines = answer.split(separator: "\n")
        #expect(lines.filter { $0 == "unchanged" }.count == 2, "\(answer)")
        #expect(lines.filter { $0 == "restored" }.count == 2, "\(answer)")
        #expect(answer.contains("the document ends too early"), "\(answer)")
        #expect(answer.contains("cannot copy /dev/stdin to /nowhere before it is restored"), "\(answer)")
        #expect(lines.suffix(2) == ["0", "status 1"], "\(answer)")
    }

    private static let sizes = ["1", "63k", "64k", "1g", "777g", "1t", "100t", "3p"]
    private static let units = ["b", "s", "k", "K", "m", "M", "g", "G", "t", "T", "p", "P", "e", "sector", "MiB", "x"]

    @Test(.enabled(if: hasTools), arguments: sizes)
    func estimatesTheSame(size: String) throws {
        for unit in Self.units {
            for form in ["", "-n", "--numeric-only=short", "--numeric-only=long"] {
                let command = "thin_metadata_size -b 64k -s \(size) -m 1000 -u \(unit) \(form)"
                let theirs = try run(command, in: "\(Self.tools)")
                #expect(try run(command, in: "\(scratch.path)/ours") == theirs, "\(command)")
            }
        }
    }

    @Test(
        .enabled(if: hasTools),
        arguments: [
            "", "-h", "--help", "-V", "-VV", "-V -i x", "--foo", "-x", "extra", "-q", "-qq", "-qx", "-i",
            "-i -o output",
            "-i metadata", "-o output", "-i nowhere -o output", "-q -i nowhere -o output", "-i metadata -o nowhere",
            "-i . -o output", "-i metadata -o .", "-i metadata -o empty", "-i metadata -i metadata -o output",
            "-i metadata --foo", "--transaction-id 1 --foo", "--transaction-id x -i metadata -o output",
            "--transaction-id= -i metadata -o output", "--nr-data-blocks 99999999999999999999 -i metadata -o output",
            "-i metadata -o output --quiet=1", "-i metadata -o output -- x",
        ])
    func takesTheSameArguments(arguments: String) throws {
        for tool in ["thin_restore", "thin_repair"] {
            // A description is no metadata, and metadata is no description.
            let command = "\(tool) \(arguments)".replacing(
                "-i metadata", with: tool == "thin_restore" ? "-i missing" : "-i metadata")
            let theirs = try run(command, in: "\(Self.tools)")
            let ours = try run(command, in: "\(scratch.path)/ours")
            guard !theirs.hasPrefix("missing attribute") else {
                // Ours names the line.
                #expect(ours.contains("missing attribute 'uuid' for tag 'superblock") && ours.hasSuffix("status 64"))
                continue
            }
            #expect(ours == theirs, "\(command)")
        }
    }

    @Test(
        .enabled(if: hasTools),
        arguments: [
            "thin_metadata_size", "thin_metadata_size -b 64k", "thin_metadata_size -b 0 -s 1g -m 1",
            "thin_metadata_size -b 2g -s 1g -m 1", "thin_metadata_size -b 64kb -s 1g -m 1",
            "thin_metadata_size -b 64k -s abc -m 1", "thin_metadata_size -b 64k -s 1g -m x",
            "thin_metadata_size -b 64k -s 1g -m -1", "thin_metadata_size -b=64k -s1g -m=1 -n",
            "thin_metadata_size -nb 64k -s1g -m1", "thin_metadata_size -b 64k -s 1g -m 1 -nlong",
            "thin_metadata_size -b 64k -s 1g -m 1 --numeric-only=foo", "thin_metadata_size -b 64k -b 64k -s 1g -m 1",
            "thin_metadata_size -b 64k -s 18446744073709551615 -m 1",
            "thin_metadata_size -b 64k -s 18446744073709551616 -m 1", "thin_metadata_size -b 64k -s 1g -m 1 extra",
            "thin_metadata_size -h", "cat unknown | thin_restore -i /dev/stdin -o output",
        ])
    func answersTheSame(command: String) throws {
        let theirs = try run(command, in: "\(Self.tools)")
        #expect(try run(command, in: "\(scratch.path)/ours") == theirs)
    }

    /// Where the words differ, the status does not.
    @Test(
        .enabled(if: hasTools),
        arguments: [
            "thin_restore -i begun -o output", "thin_restore -i unknown -o output",
            "thin_restore -i metadata -o output",
            "thin_restore -i empty -o output", "thin_repair -i begun -o output", "thin_repair -i empty -o output",
            "thin_repair -i metadata -o small", "thin_repair -i metadata -o output",
        ])
    func endsWithTheSameStatus(command: String) throws {
        let theirs = try run(command, in: "\(Self.tools)").split(separator: "\n").last
        #expect(try run(command, in: "\(scratch.path)/ours").split(separator: "\n").last == theirs)
    }

    /// The superblock says what the pool is, where it can be read.
    @Test func repairTakesNoFieldsThatTheSuperblockHas() throws {
        for option in ["--data-block-size 256", "--nr-data-blocks 10", "--transaction-id 0"] {
            let result = try run("'\(Self.program())' metadata repair -i metadata -o output \(option)", in: "/usr/sbin")
            #expect(result.contains("the superblock of metadata can be read"), "\(result)")
        }
    }

    @Test func printsJSON() throws {
        let program = try Self.program()
        let result = try run(
            """
            '\(program)' --json metadata delta 1 2 metadata | jq 'map(select(.kind == "left_only")) | length > 0'
            '\(program)' --json metadata map --region 0..100 metadata | jq 'length > 0 and .[0].data_end > 0'
            '\(program)' --json metadata dump metadata
            """, in: "/usr/sbin")
        #expect(result.hasPrefix("true\ntrue\n") && result.hasSuffix("status 64"), "\(result)")
    }

    /// A command asks for --force where the output is not empty.
    @Test func keepsWhatIsNoMetadata() throws {
        let restore = "'\(try Self.program())' metadata restore -i xml -o"
        let result = try run(
            """
            thin_dump metadata > xml; truncate --size=64M disk && mkfs.ext4 -q -F disk
            \(restore) disk; \(restore) disk --force && thin_check -q disk && echo checked; \(restore) disk
            yes text | head -c 4194304 > text; \(restore) text; \(restore) nowhere
            """, in: "/usr/sbin")
        #expect(
            result.contains("disk holds an ext2, ext3 or ext4 file system; to overwrite that, add --force"), "\(result)"
        )
        #expect(result.contains("checked"))
        #expect(result.contains("disk holds metadata of a thin pool; to overwrite that, add --force"), "\(result)")
        #expect(result.contains("text holds data that no program here knows"))
        #expect(result.contains("cannot open nowhere"))
    }
}
