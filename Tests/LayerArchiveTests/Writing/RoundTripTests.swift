import LayerArchive
import SystemPackage
import Testing

/// A layer that is exported and unpacked again is the same, by this project's comparison and by GNU tar's listing.
@Suite struct RoundTripTests {
    /// The times of directories that nothing happened to are no changes.
    private static func listing(_ tree: TemporaryDirectory) throws -> TemporaryDirectory.Listing {
        try tree.shell("find . -type d -exec touch -d @1 {} +")
        return try tree.listing()
    }

    @Test(arguments: 0..<30)
    func differences(seed: UInt64) throws {
        var random = RandomTree(seed: seed)
        let lower = try TemporaryDirectory(random.creation())
        let upper = try lower.copy()
        try upper.shell(random.change())
        let export = LayerExport(
            attributes: seed.isMultiple(of: 2) ? .all : .docker, holes: seed.isMultiple(of: 3) ? .holes : .zeros)
        let archive = try Archive(of: upper, against: lower, export)
        let copy = try lower.copy()
        let changes = try ChangeSet(of: upper.descriptor, against: lower.descriptor)
        #expect(!changes.isEmpty)
        try archive.extract(into: copy)
        #expect(try ChangeSet(of: upper.descriptor, against: copy.descriptor).map(\.description) == [])
        // Its entries are the changes, one for one.
        let entries = try archive.entries().map { Array($0.entry.path) }
        let expected = changes.map { change in
            let path = change.path.string.dropFirst()
            let parts = path.split(separator: "/")
            let parent = parts.dropLast().map { $0 + "/" }.joined()
            return change.kind == .deleted ? parent + ".wh." + (parts.last ?? "") : String(path)
        }
        let names = entries.map { path in
            String(decoding: path.last == UInt8(ascii: "/") ? path.dropLast() : path[...], as: UTF8.self)
        }
        #expect(names == expected)
        #expect(try Self.listing(copy) == Self.listing(upper))
    }

    @Test(arguments: 100..<110)
    func wholeTreesThroughOthers(seed: UInt64) throws {
        var random = RandomTree(seed: seed)
        let tree = try TemporaryDirectory(random.creation())
        let archive = try Archive(of: tree, against: nil, LayerExport(holes: seed.isMultiple(of: 2) ? .holes : .zeros))
        let listing = try Self.listing(tree)
        for program in ["tar", "bsdtar"] where Program.isInstalled(program) {
            let copy = try TemporaryDirectory()
            _ = try Program.output(
                ["env", "LC_ALL=C.UTF-8", program, "-C", copy.path.string, "-xpf", "-", "--numeric-owner"],
                input: archive.bytes)
            #expect(try Self.listing(copy) == listing)
            // And back.
            let bytes = try Program.output(
                ["env", "LC_ALL=C.UTF-8", program, "-C", tree.path.string, "-cf", "-", "--numeric-owner", "."])
            let back = try TemporaryDirectory()
            try Archive(bytes).extract(into: back)
            #expect(try Self.listing(back) == listing)
        }
    }
}
