import Glibc
import LayerArchive
import SystemPackage
import Testing

@Suite struct ChangeSetTests {
    private static func changes(_ upper: TemporaryDirectory, _ lower: TemporaryDirectory?) throws -> [String] {
        try ChangeSet(of: upper.descriptor, against: lower?.descriptor).map(\.description)
    }

    /// Changes a copy of a tree.
    private static func changes(in lower: String, after script: String) throws -> [String] {
        let lower = try TemporaryDirectory(lower + "\nfind . -exec touch -h -d @1600000000.25 {} +")
        let upper = try lower.copy()
        try upper.shell(script)
        return try changes(upper, lower)
    }

    @Test func findsNothingInACopy() throws {
        let lower = try TemporaryDirectory("mkdir -p a/b; touch a/b/c; ln -s x a/l; mkfifo p; ln a/b/c h")
        let upper = try lower.copy()
        #expect(try Self.changes(upper, lower) == [])
        #expect(try Self.changes(lower, lower) == [])
        try upper.shell("touch .; chmod 700 .")
        #expect(try Self.changes(upper, lower) == [], "the root is never listed")
    }

    @Test func listsEverythingWithoutAParent() throws {
        let tree = try TemporaryDirectory("mkdir -p a/b; touch a/b/c; ln -s x a/l; mkfifo p")
        #expect(try Self.changes(tree, nil) == ["A /a", "A /a/b", "A /a/b/c", "A /a/l", "A /p"])
        #expect(try Self.changes(TemporaryDirectory(), nil) == [])
    }

    struct Case: CustomStringConvertible {
        let script: String
        let changes: [String]
        var description: String { script }
    }

    @Test(arguments: [
        Case(script: "echo x >d/new", changes: ["C /d", "A /d/new"]),
        Case(script: "rm d/e/f", changes: ["C /d", "C /d/e", "D /d/e/f"]),
        Case(script: "rm -r d", changes: ["D /d"]),
        Case(script: "echo changed >file", changes: ["C /file"]),
        Case(script: "chmod 600 file", changes: ["C /file"]),
        Case(script: "chmod 700 d", changes: ["C /d"]),
        Case(script: "chmod 700 d; rm d/e/f", changes: ["C /d", "C /d/e", "D /d/e/f"]),
        Case(script: "touch -d @1700000000 file", changes: ["C /file"]),
        Case(script: "touch -d @1600000000.5 file", changes: ["C /file"]),
        // An archive has whole seconds only.
        Case(script: "touch -d @1600000000 file", changes: []),
        Case(script: "touch -d @1700000000 d", changes: []),
        Case(script: "touch -h -d @1700000000 link", changes: ["C /link"]),
        Case(script: "printf longer >>file; touch -d @1600000000.25 file", changes: ["C /file"]),
        Case(script: "rm file; mkdir file; touch file/in", changes: ["C /file", "A /file/in"]),
        Case(script: "rm -r d; touch d", changes: ["C /d"]),
        Case(script: "rm -r d; ln -s file d", changes: ["C /d"]),
        Case(script: "mv d moved", changes: ["D /d", "A /moved", "A /moved/e", "A /moved/e/f"]),
        Case(script: "ln file other", changes: ["A /other"]),
        Case(
            script: "rm -r d; mkdir -p d/e d/a; touch d/e/g",
            changes: ["C /d", "A /d/a", "C /d/e", "D /d/e/f", "A /d/e/g"]),
        Case(
            script: "touch d/e/x d-e d.e 'd e' d0; mkdir d-f; touch d-f/x",
            changes: [
                "C /d", "A /d e", "A /d-e", "A /d-f", "A /d-f/x", "A /d.e", "C /d/e", "A /d/e/x", "A /d0",
            ]),
    ])
    func followsTheRules(example: Case) throws {
        let changes = try Self.changes(
            in: "mkdir -p d/e; echo x >d/e/f; echo file >file; ln -s file link", after: example.script)
        #expect(changes == example.changes)
    }

    @Test func sortsByTheBytesOfThePath() throws {
        let tree = try TemporaryDirectory(
            """
            for i in a b; do for n in x x-y x.z x0 'x y' x/y x/a x-y/c x-y-z/d xx; do mkdir -p $i/$n; done; done
            printf x >"$(printf 'a/x\\377')"; touch a/ü
            """)
        let found = try Program.output(["find", tree.path.string, "-mindepth", "1", "-printf", "/%P\\0"])
        let paths = found.split(separator: 0).map(Array.init).sorted { $0.lexicographicallyPrecedes($1) }
        let changes = try ChangeSet(of: tree.descriptor, against: nil)
        #expect(changes.map(\.description) == paths.map { "A " + String(decoding: $0, as: UTF8.self) })
        // The same order when it is only the way down that is listed.
        let lower = try tree.copy()
        try tree.shell("find . -type d -exec touch {}/new \\;")
        let both = try ChangeSet(of: tree.descriptor, against: lower.descriptor)
            .map { Array($0.description.utf8.dropFirst(2)) }
        #expect(both == both.sorted { $0.lexicographicallyPrecedes($1) })
        #expect(both.count == 23 + 24)
    }

    @Test func goesDeeperThanFilesCanBeOpenOrPathsLong() throws {
        let tree = try TemporaryDirectory(
            """
            i=0; while [ $i -lt 25 ]; do p=; j=0; while [ $j -lt 20 ]; do p=${p}component-$j/; j=$((j + 1)); done
            mkdir -p $p; touch ${p}file; cd -P $p; i=$((i + 1)); done
            """)
        let changes = try ChangeSet(of: tree.descriptor, against: nil)
        #expect(changes.count == 25 * 21)
        #expect(try changes.size(in: tree.descriptor) == 0)
        #expect(try #require(changes.map(\.description.utf8.count).max()) > 5_000)
        #expect(try Self.changes(tree, tree) == [])
        let entries = try Archive(of: tree, against: nil).entries()
        #expect(entries.count == changes.count)
        // Deleting it is no harder.
        let empty = try TemporaryDirectory()
        try Archive([(.make(.file, ".wh.component-0"), "")]).extract(into: tree)
        #expect(try Self.changes(tree, empty) == [])
    }

    @Test func countsSizesAsDockerDoes() throws {
        let lower = try TemporaryDirectory("printf 12345 >kept; printf 123 >changed; mkdir d")
        let upper = try lower.copy()
        try upper.shell(
            "printf 1234567 >changed; printf 1 >d/new; ln d/new d/link; ln -s 1234567890 symbolic; mkfifo p")
        let changes = try ChangeSet(of: upper.descriptor, against: lower.descriptor)
        #expect(try changes.size(in: upper.descriptor) == 7 + 1 + 10)
        #expect(try ChangeSet(of: lower.descriptor, against: nil).size(in: lower.descriptor) == 8)
    }

    @Test(.enabled(if: geteuid() == 0, "needs the rights of root"))
    func noticesOwnersDevicesAndCapabilities() throws {
        let lower = try TemporaryDirectory("touch a b c d; mknod e c 1 3; mknod f b 7 0; find . -exec touch -d @1 {} +")
        let upper = try lower.copy()
        try upper.shell(
            "chown 5 a; chown :6 b; rm e f; mknod e c 1 5; mknod f b 7 0; touch -d @1 e f; chmod 644 e f")
        try upper.setAttribute("security.capability", [1, 0, 0, 2] + [UInt8](repeating: 0, count: 16), of: "c")
        try upper.setAttribute("trusted.other", [1], of: "d")
        #expect(try Self.changes(upper, lower) == ["C /a", "C /b", "C /c", "C /e"])
    }

    @Test(.enabled(if: geteuid() == 0, "needs the rights of root"))
    func doesNotLookIntoWhatIsMounted() throws {
        let tree = try TemporaryDirectory("mkdir -p a/b c; touch a/b/hidden c/d")
        // Not even root may do that everywhere.
        guard (try? tree.shell("mount -t tmpfs none a/b 2>/dev/null; touch a/b/other")) != nil else { return }
        defer { try? tree.shell("umount a/b") }
        #expect(try Self.changes(tree, nil) == ["A /a", "A /a/b", "A /c", "A /c/d"])
        // Nor is it deleted.
        #expect(throws: LayerArchiveError.self) {
            try Archive([(.make(.file, ".wh.a"), "")]).extract(into: tree)
        }
        #expect(try tree.names().contains("a/b/other"))
    }

    @Test func canBeCancelled() throws {
        let tree = try TemporaryDirectory("mkdir a; touch a/b")
        let error = #expect(throws: LayerArchiveError.self) {
            try ChangeSet(of: tree.descriptor, against: nil, cancellation: Cancellation { true })
        }
        #expect(error?.code == .cancelled)
    }
}
