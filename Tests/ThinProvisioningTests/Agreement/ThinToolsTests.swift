import Glibc
import SystemPackage
import TestSupport
import Testing

@testable import ThinProvisioning

/// The programs of thin-provisioning-tools 1.1.0, and the built program under their names.
struct Peers {
    /// The folder that `THIN_TOOLS` names; `Tests/thin-tools-test` fetches the programs into it.
    static let folder = unsafe getenv("THIN_TOOLS").map { unsafe String(cString: $0) }
    /// How many cases are compared.
    static let cases = unsafe getenv("CASES").flatMap { unsafe Int(String(cString: $0)) } ?? 16

    let scratch: ScratchDirectory
    let file: FilePath

    /// Takes the metadata that a kernel has written.
    init() throws {
        scratch = try ScratchDirectory()
        file = scratch.appending("metadata")
        try Shell.run("xz -dc '\(ProjectFolder.path)/fixtures/thin-metadata/metadata.xz' > '\(file)'")
    }

    /// Makes the metadata of a pool with thin_restore.
    init(_ pool: ExamplePool) throws {
        try self.init(xml: pool.xml)
    }

    /// Makes metadata with thin_restore.
    init(xml: String) throws {
        scratch = try ScratchDirectory()
        file = try scratch.makeSparseFile("metadata", size: 8 << 20)
        try TextFile.write(xml, to: scratch.appending("xml"))
        try Shell.run("\(Self.folder ?? "")/thin_restore -q -i '\(scratch.path)/xml' -o '\(file)'")
        // The tests and the program are built into one folder.
        try Shell.run(
            """
            for name in check dump ls rmap delta; do
                ln -s "$(dirname "$(readlink /proc/$PPID/exe)")/dmlayer" '\(scratch.path)'/thin_$name
            done
            """)
    }

    /// Runs a thin_check on copies of the metadata, with some options each, all at a time.
    func check(_ folder: String, _ options: [String]) throws -> [CheckResult] {
        let jobs = options.enumerated().map { index, options in
            """
            {
                cp metadata copy\(index)
                '\(folder)/thin_check' \(options) copy\(index) >/dev/null 2>&1; echo $?
                cmp -s metadata copy\(index); echo $?
                od -An -t u1 -j \(SuperblockLayout.flags.offset) -N 1 copy\(index)
                '\(Self.folder ?? "")/thin_check' -q copy\(index) >/dev/null 2>&1; echo $?
            } >result\(index) &
            """
        }
        let results = options.indices.map { "result\($0)" }.joined(separator: " ")
        let lines = try Shell.run("cd '\(scratch.path)'\n\(jobs.joined(separator: "\n"))\nwait\ncat \(results)")
        let numbers = lines.split { !$0.isNumber }.compactMap { Int($0) }
        try #require(numbers.count == 4 * options.count, "\(lines)")
        return stride(from: 0, to: numbers.count, by: 4).map { start in
            CheckResult(
                status: numbers[start], hasChanged: numbers[start + 1] != 0, isMarked: numbers[start + 2] != 0,
                statusAfter: numbers[start + 3])
        }
    }

    /// Changes the metadata.
    func change(_ body: (inout [[UInt8]]) throws -> Void) throws {
        let before = try MetadataImage(file: file).blocks
        var blocks = before
        try body(&blocks)
        let target = try FileDescriptor.open(file, .writeOnly)
        try target.closeAfter {
            for index in blocks.indices where blocks[index] != before[index] {
                _ = try target.writeAll(toAbsoluteOffset: Int64(4096 * index), blocks[index])
            }
        }
    }

    /// Compares status, standard output and standard error of a program with ours.
    func compare(_ command: String, hasSameErrors: Bool = true) throws {
        let streams = hasSameErrors ? "" : " 2>/dev/null"
        let theirs = try Shell.runForStatus("'\(Self.folder ?? "")'/\(command) '\(file)'\(streams)")
        let ours = try Shell.runForStatus("'\(scratch.path)'/\(command) '\(file)'\(streams)")
        #expect(ours.status == theirs.status, "\(command)")
        if ours.output != theirs.output {
            let lines = zip(ours.output.split(separator: "\n"), theirs.output.split(separator: "\n"))
            let first = lines.first { $0 != $1 }
            Issue.record("\(command): “\(first?.0 ?? "")” instead of “\(first?.1 ?? "")”")
        }
    }
}

/// The result of a thin_check.
struct CheckResult: Equatable {
    let status: Int
    let hasChanged: Bool
    let isMarked: Bool
    /// The status of the real thin_check afterwards.
    let statusAfter: Int
}

/// Compares the output of thin-provisioning-tools with that of this program under their names.
@Suite(.enabled(if: Peers.folder != nil), .serialized)
struct ThinToolsTests {
    private static let fields =
        "DEV,HIGHEST_MAPPED,MAPPED,EXCLUSIVE,SHARED,MAPPED_BLOCKS,EXCLUSIVE_BLOCKS,SHARED_BLOCKS,MAPPED_SECTORS,"
        + "EXCLUSIVE_SECTORS,SHARED_SECTORS,MAPPED_BYTES,EXCLUSIVE_BYTES,SHARED_BYTES,TRANSACTION,CREATE_TIME,SNAP_TIME"

    private static let pools = (0..<Peers.cases).map { index in
        (ExamplePool.Shape.allCases[index % ExamplePool.Shape.allCases.count], UInt64(index))
    }

    @Test(arguments: pools)
    func printsTheSame(shape: ExamplePool.Shape, seed: UInt64) throws {
        let peers = try Peers(ExamplePool(shape, seed: seed))
        try peers.compare("thin_check")
        if seed % 2 == 1 {
            try peers.snapshotTheFirstDevice()
            try peers.compare("thin_check", hasSameErrors: false)
            for program in ["thin_dump -m", "thin_ls -m", "thin_delta -m --snap1 1 --snap2 3"] {
                try peers.compare(program)
            }
        }
        for options in ["", "-f human_readable", "--skip-mappings", "--dev-id 1 --dev-id 3"] {
            try peers.compare("thin_dump \(options)")
        }
        for options in ["", "-o \(Self.fields)", "--no-headers -o DEV,EXCLUSIVE", "-o HIGHEST_MAPPED,MAPPED"] {
            try peers.compare("thin_ls \(options)")
        }
        for options in ["--snap1 1 --snap2 3", "--verbose --thin1 3 --thin2 1", "--snap1 0 --snap2 77777"] {
            try peers.compare("thin_delta \(options)")
        }
        try peers.compare("thin_rmap --region 0..500 --region 1000..70000")
    }

    @Test func failsTheSame() throws {
        let peers = try Peers(ExamplePool(.small, seed: 4))
        for command in ["thin_dump -m", "thin_ls -m", "thin_check -m", "thin_delta -m --snap1 1 --snap2 2"] {
            try peers.compare(command)
        }
        for command in [
            "thin_check --no-such-option", "thin_ls -o NOTHING", "thin_rmap --region 5..3", "thin_rmap",
            "thin_delta --snap1 1", "thin_dump -f bogus", "thin_dump --dev-id x", "thin_check -q --super-block-only",
        ] {
            let theirs = try Shell.runForStatus("'\(Peers.folder ?? "")'/\(command) '\(peers.file)'")
            let ours = try Shell.runForStatus("'\(peers.scratch.path)'/\(command) '\(peers.file)'")
            #expect(ours.status == theirs.status, "\(command): \(ours.output)")
        }
        try Shell.run("dd if=/dev/zero of='\(peers.file)' bs=4096 count=1 conv=notrunc status=none")
        for command in ["thin_check", "thin_dump", "thin_ls", "thin_delta --snap1 1 --snap2 2"] {
            try peers.compare(command, hasSameErrors: false)
        }
    }

    /// Counts that thin_check mends, and others for which it changes nothing, with each way to ask for it.
    @Test(arguments: [
        [WrongCount(.data, 501, 1)], [WrongCount(.data, 501, 2)], [WrongCount(.data, 20, 2)],
        [WrongCount(.data, 20, 0)], [WrongCount(.metadata, 1000, 1)], [WrongCount(.metadata, 1000, 2)],
        [WrongCount(.data, 501, 1), WrongCount(.metadata, 1000, 1)],
        [WrongCount(.data, 501, 1), WrongCount(.metadata, 1000, 2)], [],
    ])
    func mendsTheSame(counts: [WrongCount]) throws {
        let pool =
            """
            <superblock uuid="" time="0" transaction="0" data_block_size="128" nr_data_blocks="600">
            <device dev_id="1" mapped_blocks="500" transaction="0" creation_time="0" snap_time="0">
            <range_mapping origin_begin="0" data_begin="0" length="500" time="0"/>
            </device>
            </superblock>
            """
        let peers = try Peers(xml: pool)
        for isMarked in [false, true] {
            try peers.change { blocks in
                if !isMarked { for count in counts { try count.put(into: &blocks) } }
                blocks[0].put(UInt32(isMarked ? 1 : 0), at: SuperblockLayout.flags.offset)
                blocks[0].seal(.superblock)
            }
            let options = [
                "", "-q --auto-repair", "--clear-needs-check-flag", "--ignore-non-fatal-errors",
                "-q --ignore-non-fatal-errors --clear-needs-check-flag",
            ]
            let theirs = try peers.check(Peers.folder ?? "", options)
            let ours = try peers.check("\(peers.scratch.path)", options)
            for (index, options) in options.enumerated() {
                #expect(ours[index] == theirs[index], "\(counts) \(isMarked) \(options)")
            }
        }
    }

    /// The verdict of thin_check on blocks that a device maps twice: it finds them where the pool has only that device.
    @Test(arguments: [1, 2, 3])
    func judgesDoubleMappings(count: Int) throws {
        let pool =
            """
            <superblock uuid="" time="0" transaction="0" data_block_size="128" nr_data_blocks="600">
            <device dev_id="1" mapped_blocks="2" transaction="0" creation_time="0" snap_time="0">
            <single_mapping origin_block="0" data_block="5" time="0"/>
            <single_mapping origin_block="7" data_block="5" time="0"/>
            </device>
            </superblock>
            """
        let peers = try Peers(xml: pool)
        try peers.change { try WrongCount(.data, 5, count).put(into: &$0) }
        #expect(try peers.check("\(peers.scratch.path)", [""]).map(\.status) == [64])
        // It takes a count of 1 for right, and a write to one place changes the other.
        #expect(try peers.check(Peers.folder ?? "", [""]).map(\.status) == [count == 1 ? 0 : 64])
    }

    /// The verdict of thin_check and ours, on metadata with a random damage.
    ///
    /// The pools have all shapes, and the last one is a kernel's.
    @Test(arguments: 0...ExamplePool.Shape.allCases.count)
    func judgesDamageTheSame(pool: Int) throws {
        let shapes = ExamplePool.Shape.allCases
        let peers = try pool < shapes.count ? Peers(ExamplePool(shapes[pool], seed: UInt64(pool))) : Peers()
        let first = UInt64(pool) * 1_000_000
        try DamageComparison(peers).run(first..<first + UInt64(Peers.cases))
    }
}
