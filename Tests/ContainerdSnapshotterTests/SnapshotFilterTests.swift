import LayerStore
import Testing

@testable import ContainerdSnapshotter

/// containerd's language of filters.
struct SnapshotFilterTests {
    private let snapshot: Snapshot

    init() {
        let labels = ["containerd.io/snapshot.ref": "sha256:ab", "plain": "x", "umlaut": "ä"]
        snapshot = Snapshot(
            SnapshotRecord(key: "default/1/a key", kind: .active, parent: "default/2/b", labels: labels, time: 0))
    }

    @Test(
        arguments: [
            // The filters of containerd itself.
            (#"labels."containerd.io/snapshot.ref"==sha256:ab,parent==default/2/b"#, true),
            (#"labels."containerd.io/snapshot.ref"=="sha256:ab",parent=="default/2/b""#, true),
            (#"labels."containerd.io/snapshot.ref"==sha256:ab,parent==other"#, false),
            ("", true),
            ("name", true), ("parent", true), ("kind", true), ("labels", false), ("labels.plain", true),
            ("labels.none", false), ("unknown", false), ("unknown.field", false),
            (#"name=="default/1/a key""#, true), ("name==default/1/a", false), ("kind==active", true),
            ("kind==Active", false), ("kind!=view", true), ("kind!=active", false),
            // A field that is not there is empty, and still not equal to an empty text.
            ("labels.none!=x", true), (#"labels.none!="""#, false), (#"labels.none=="""#, false),
            ("labels.none~=^$", true),
            ("name~=^default/[0-9]+/", true), ("name~=key$", true), ("name~=/a k/", true), ("name~=|a k|", true),
            ("name~=^a", false), ("name~=(", false),
            ("labels . plain", false), (", ", false),
            ("kind==active, labels.plain==x", true), ("kind  == active", true), ("kind== active", true),
            (#"labels.umlaut=="\u00e4""#, true), (#"labels.umlaut=="\xc3\xa4""#, true),
            (#"labels.umlaut=="\303\244""#, true), (#"labels.plain=="\x78""#, true),
        ] as [(String, Bool)])
    func matches(filter: String, isMatch: Bool) {
        let parsed = try? SnapshotFilter(filter)
        #expect((parsed?.matches(snapshot) ?? false) == isMatch)
    }

    @Test(
        arguments: [
            ",", "name,", "name==", "==x", "name=x", "name===x", "name<x", "name==x y", "name==x ,kind==active",
            ".name",
            "name.", "name..x", #"name=="x"#, #"name=="\q""#, #"name=="\x1""#, "name==/x/", "name==|x|", "'name'",
            "name=='x'y z",
            "name==x\u{0}y z", "name~=", "labels.a-b", "nämе==x", #""name"x"#,
        ])
    func refuses(text: String) {
        let error = #expect(throws: SnapshotterError.self) { try SnapshotFilter(text) }
        #expect(error?.code == .invalidArgument)
    }

    /// Any text is a filter or is refused.
    @Test func survivesAnyText() {
        let pieces = [
            "name", "labels", ".", ",", "==", "!=", "~=", "\"", "\\", "x", "/", "|", " ", "\u{0}", "ä", "\n", "\\u",
        ]
        var random = SystemRandomNumberGenerator()
        var accepted = 0
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 1...8, using: &random))
                .map { _ in pieces[Int.random(in: 0..<pieces.count, using: &random)] }.joined()
            if let filter = try? SnapshotFilter(text) {
                accepted += 1
                _ = filter.matches(snapshot)
            }
        }
        #expect(accepted > 0 && accepted < 20_000)
    }
}

/// Changes of labels by the paths of a mask.
struct LabelUpdateTests {
    private let present = ["a": "1", "b": "2"]

    @Test func replacesAll() throws {
        for paths in [[], ["labels"], ["labels.a", "labels"]] {
            let update = try LabelUpdate(labels: ["c": "3", "empty": ""], paths: paths)
            #expect(update.applied(to: present) == ["c": "3"])
        }
    }

    @Test func changesSingleOnes() throws {
        let name = "containerd.io/snapshot/x.y"
        let update = try LabelUpdate(
            labels: ["a": "new", name: "3", "c": "not named"], paths: ["labels.a", "labels.b", "labels.\(name)"])
        #expect(update.applied(to: present) == ["a": "new", name: "3"])
    }

    @Test(arguments: ["parent", "name", "kind", "label.a", "", "labels_a"])
    func refusesOtherFields(path: String) {
        let error = #expect(throws: SnapshotterError.self) { try LabelUpdate(labels: [:], paths: [path]) }
        #expect(error?.code == .invalidArgument)
    }
}
