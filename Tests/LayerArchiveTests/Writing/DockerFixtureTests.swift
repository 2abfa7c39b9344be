import Glibc
import LayerArchive
import SystemPackage
import Testing

/// The layers that Docker exported, and the devices that it unpacked them on, judge both directions.
@Suite(
    .enabled(if: geteuid() == 0, "needs the rights of root"),
    .enabled(if: Program.isInstalled("xz"), "needs xz"))
struct DockerFixtureTests {
    struct Image: CustomStringConvertible {
        let description: String
        let layers: [DockerFixture.Layer]
    }

    static let images = [
        Image(description: "chain", layers: DockerFixture.chain),
        Image(description: "built", layers: DockerFixture.built),
    ]

    /// The entries of an archive, without what is not the same each time: when a deletion was exported.
    private static func comparable(_ archive: Archive) throws -> [TarEntry] {
        try archive.entries().map { entry, _ in
            let name = entry.path.split(separator: UInt8(ascii: "/")).last ?? []
            guard name.starts(with: ".wh.".utf8) else { return entry }
            var entry = entry
            entry.modificationTime = Timestamp(seconds: 0)
            return entry
        }
    }

    /// The properties of an entry but its place in the archive.
    private static func describe(_ entry: TarEntry) -> String {
        let attributes = entry.attributes.map { String(decoding: $0.name, as: UTF8.self) }
        return """
            \(FilePath(String(decoding: entry.path, as: UTF8.self))) \(entry.kind) \(entry.permissions) \(entry.userID) \
            \(entry.groupID) \(entry.size) \(entry.modificationTime) \(entry.deviceMajor):\(entry.deviceMinor) \
            \(String(decoding: entry.linkTarget, as: UTF8.self)) \(attributes)
            """
    }

    @Test(arguments: images)
    func unpackedLayersAreAsOnTheirDevices(image: Image) throws {
        let fixture = try DockerFixture()
        var tree = try TemporaryDirectory()
        for layer in image.layers {
            let lower = tree
            tree = try lower.copy()
            let archive = try fixture.archive(of: layer)
            let summary = try archive.extract(into: tree)
            #expect(summary.size == layer.size)
            #expect(summary.refusedAttributes == 0)
            let (found, recorded) = (Set(try ManifestFile.files(in: tree)), Set(try fixture.files(of: layer)))
            #expect(recorded.count > 80)
            #expect(found.subtracting(recorded) == [])
            #expect(recorded.subtracting(found) == [])
            guard layer.archive != image.layers[0].archive else { continue }

            // The way back.
            let changes = try ChangeSet(of: tree.descriptor, against: lower.descriptor)
            if let printed = try fixture.changes(of: layer) {
                let lines = changes.flatMap { $0.description.split(separator: "\n") }.map(String.init)
                // A socket is a change, but cannot be in an archive.
                #expect(Set(lines) == Set(printed).subtracting(["A /data/sock"]))
            }
            let docker = try Archive(of: tree, against: lower, LayerExport(attributes: .docker))
            #expect(try Self.comparable(docker).map(Self.describe) == Self.comparable(archive).map(Self.describe))
            #expect(try docker.entries().map(\.data) == archive.entries().map(\.data))

            // With all attributes, there is nothing less.
            let all = try Self.comparable(Archive(of: tree, against: lower))
            for (entry, exported) in zip(all, try Self.comparable(archive)) {
                #expect(Set(entry.attributes).isSuperset(of: exported.attributes))
                var entry = entry
                entry.attributes = exported.attributes
                #expect(Self.describe(entry) == Self.describe(exported))
            }
        }
    }

    @Test func theFirstLayerComesBackWithAllItsAttributes() throws {
        let fixture = try DockerFixture()
        let archive = try fixture.archive(of: DockerFixture.chain[0])
        let tree = try TemporaryDirectory()
        try archive.extract(into: tree)
        let exported = try Archive(of: tree, against: nil)
        let copy = try TemporaryDirectory()
        try exported.extract(into: copy)
        let (before, after) = (try ManifestFile.files(in: tree), try ManifestFile.files(in: copy))
        #expect(Set(after) == Set(before))
        #expect(before.contains { $0.modificationTime % 1_000_000_000 != 0 })
        #expect(before.filter { $0.attributes != nil }.count == 3)
    }
}
