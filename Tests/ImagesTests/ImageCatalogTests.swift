#if Images
import LayerStore
import SystemPackage
import TestSupport
import Testing

@testable import Images

@Suite struct ImageCatalogTests {
    private static let chain4 = "56ea32869787e5a2833ff707bf877c336a491822eebef933b9555447085879fb"

    /// As `docker images --all --no-trunc` printed them.
    @Test func findsTheImagesThatDockerListed() throws {
        let catalog = try DockerFiles().images()
        #expect(catalog.problems == [])
        #expect(catalog.images.count == 14 && catalog.images.allSatisfy { $0.fault == nil })
        #expect(
            catalog.shown.map { "\($0.tags[0]) \($0.id.short) \($0.layers.count) \($0.size)" } == [
                "fixture/built:v1 ce53bfb0d835 5 2889845", "fixture/chain:v4 56ea32869787 4 70905443",
                "fixture/chain:v3 33022d40088d 3 70905438", "fixture/chain:v2 e3db127dbbc6 2 69998766",
                "fixture/base:1 f68510d054f0 1 2889830",
            ])
        let image = try catalog.image("fixture/chain:v4")
        #expect(image.id.hexadecimal == Self.chain4)
        #expect(image.parent?.short == "33022d40088d")
        #expect(image.lastTagged == "2026-11-23T03:46:09.42659654Z")
        #expect(
            image.layers.map(\.content.text).map { $0.prefix(8) } == ["c0cb3784", "6488c028", "4184030a", "5a1bd04b"])
    }

    @Test(arguments: [
        ("fixture/chain:v4", ["fixture/chain:v4"]),
        ("fixture/chain", ["fixture/chain:v4", "fixture/chain:v3", "fixture/chain:v2"]),
        ("docker.io/fixture/base:1", ["fixture/base:1"]), ("56ea3286", []), ("sha256:" + chain4, []),
    ])
    func findsImagesByName(text: String, tags: [String]) throws {
        let matches = try DockerFiles().images().matches(text)
        #expect(matches.flatMap(\.tags) == tags)
        #expect(matches.count == max(1, tags.count))
    }

    @Test(arguments: ["fixture/none", "fixture/chain:v5", "chain:v4", "", "zz", "fixture/chain@sha256:" + chain4])
    func saysThatThereIsNoSuchImage(text: String) throws {
        let catalog = try DockerFiles().images()
        do {
            _ = try catalog.matches(text)
            Issue.record("“\(text)” was found")
        } catch let error as ImageError {
            #expect(error.code == .notFound)
        }
    }

    @Test func refusesAnAmbiguousID() throws {
        let catalog = try DockerFiles().images()
        do {
            // 47657e29… and 48e2a490… and 4ae97490….
            _ = try catalog.image("4")
            Issue.record("it was found")
        } catch let error as ImageError {
            #expect(error.code == .ambiguous && error.description.contains("3 images"))
        }
    }

    /// Each damage takes away what depends on it, and no more; the text says where it is.
    @Test(arguments: [
        ("rm repositories.json", 14, 0, 14, "repositories.json is missing"),
        ("printf '{' > repositories.json", 14, 0, 14, "repositories.json cannot be understood"),
        ("printf '{}' > repositories.json", 14, 0, 14, "“Repositories” is missing"),
        ("printf '[1' > $(ls imagedb/content/sha256/56ea*)", 13, 4, 13, "56ea"),
        ("echo >> $(ls imagedb/content/sha256/56ea*)", 13, 4, 13, "has changed: its digest is"),
        ("rm imagedb/content/sha256/56ea*", 13, 4, 13, "gives the name fixture/chain:v4 to an image that is not there"),
        ("touch imagedb/content/sha256/junk", 14, 5, 14, "its name is no SHA-256 digest"),
        ("f=$(ls imagedb/content/sha256/56ea*); rm $f; mkfifo $f", 13, 4, 13, "is no file"),
        ("f=$(ls imagedb/content/sha256/56ea*); rm $f; mkdir $f", 13, 4, 13, "is no file"),
        ("head -c 20000000 /dev/zero > $(ls imagedb/content/sha256/56ea*)", 13, 4, 13, "which no such file has"),
        ("rm -r layerdb/sha256/4fa8*", 14, 5, 13, ""), ("rm layerdb/sha256/4fa8*/diff", 14, 5, 13, ""),
        ("rm layerdb/sha256/4fa8*/cache-id", 14, 5, 13, ""), ("rm layerdb/sha256/4fa8*/size", 14, 5, 14, ""),
        ("echo ../../x > $(ls layerdb/sha256/4fa8*/cache-id)", 14, 5, 13, ""),
        ("echo sha256:junk > $(ls layerdb/sha256/4fa8*/diff)", 14, 5, 13, ""),
        ("rm -r layerdb/sha256/a290*", 14, 5, 11, ""), ("rm -r layerdb", 14, 5, 0, ""),
        ("rm -r imagedb/metadata", 14, 5, 14, ""), ("mkdir layerdb/sha256/4fa8-removing", 14, 5, 14, ""),
    ])
    func losesNoMoreThanWhatIsDamaged(
        damage: String, images: Int, named: Int, whole: Int, problem: String
    ) throws {
        let files = try DockerFiles()
        try files.change(damage)
        let catalog = try files.images()
        #expect(catalog.images.count == images)
        #expect(catalog.images.count { !$0.tags.isEmpty } == named)
        #expect(catalog.images.count { $0.fault == nil } == whole)
        #expect(problem.isEmpty || catalog.problems.contains { $0.contains(problem) }, "\(catalog.problems)")
    }

    @Test func saysWhereThereAreNoImages() throws {
        let files = try DockerFiles()
        try files.change("rm -r imagedb ../../containers")
        for read in [{ _ = try files.images() }, { _ = try files.containers() }] {
            do {
                try read()
                Issue.record("something was read")
            } catch let error as ImageError {
                #expect(error.code == .noImages && error.description.contains("/var/lib/docker/devicemapper"))
            }
        }
    }

    @Test func findsTheContainersThatDockerListed() throws {
        let files = try DockerFiles()
        let containers = try files.containers()
        #expect(containers.problems == [])
        #expect(
            containers.containers.map { "\($0.id.short) \($0.name) \($0.imageName) \($0.command)" } == [
                "390431e0ec36 c2 fixture/built:v1 /bin/sh -c 'echo hi'", "97edd7d1c5e1 c1 fixture/chain:v4 sleep 1000",
            ])
        #expect(try containers.container("c1").state.exitCode == 137)
        #expect(try containers.container("3904").name == "c2")
        let mount = try #require(containers.containers[0].mounts(ImageFolders(of: files.driverRoot)).first)
        #expect(
            mount.destination == "/vol" && mount.source.string.hasSuffix("docker/volumes/\(mount.volume ?? "")/_data"))
        try files.change("printf '{' > $(ls ../../containers/3904*/config.v2.json)")
        let damaged = try files.containers()
        #expect(damaged.containers.map(\.name) == ["c1"])
        #expect(damaged.problems.count == 1 && damaged.problems[0].contains("config.v2.json cannot be understood"))
    }

    /// A container as an image: its configuration, one more step in the history.
    @Test func makesTheConfigurationOfAContainer() throws {
        let files = try DockerFiles()
        let saved = try files.containers().container("c1").image(in: files.images(), tags: ["c1:saved"])
        let document = saved.configuration.document
        #expect(document["config"]?["Cmd"]?.list?.compactMap(\.text) == ["sleep", "1000"])
        #expect(document["history"]?.list?.count == 5)
        #expect(saved.sources.count == 5)
        guard case .changes(let layer, let initial) = saved.sources[4] else {
            Issue.record("the last layer is the container's")
            return
        }
        #expect(layer.text.hasPrefix("e111e193") && initial.text == layer.text + "-init")
    }
}
#endif
