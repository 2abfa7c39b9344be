#if Images
import Images
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Imports that are refused, fail or are killed: an image is there whole or not at all, and no layer is left.
@Suite(.serialized) struct ImageFailureTests {
    private let images: ImageStoreFixture

    init() throws { images = try ImageStoreFixture() }

    private var maker: ImageArchiveMaker { images.maker }

    private struct Refusal {
        let name: String
        let reason: String
        let parts: ImageArchiveMaker.Parts
    }

    @Test func refusesHostileArchivesAndLeavesNothing() throws {
        let layers = [try maker.layer("echo one > file"), try maker.layer("echo two > file")]
        for refusal in try layerRefusals(layers) + manifestRefusals(layers) + layoutRefusals(layers) {
            let (status, output) = try images.run("image import '\(maker.write(refusal.parts))'")
            #expect(status == 1 && output.contains(refusal.reason), "\(refusal.name): \(output)")
            let state = try images.state()
            #expect(state == .nothing, "\(refusal.name): \(state)")
        }
        try images.fixture.finish()
    }

    /// Archives whose layers are not what they should be.
    private func layerRefusals(_ layers: [[UInt8]]) throws -> [Refusal] {
        /// A layer that is stored in another way than its digest says.
        func stored(_ name: String, _ reason: String, _ content: [UInt8]) -> Refusal {
            var parts = maker.docker("bad:1", layers)
            parts.files[1].content = content
            return Refusal(name: name, reason: reason, parts: parts)
        }
        /// A layer whose digest is right.
        func known(_ name: String, _ reason: String, _ content: [UInt8]) -> Refusal {
            Refusal(name: name, reason: reason, parts: maker.docker("bad:1", [layers[0], content]))
        }
        return [
            stored("another content", "layer 2 of 2 of image", try maker.layer("echo other > file")),
            stored("a digest", "has the digest sha256:", try maker.layer("echo other > file")),
            stored("cut off", "the archive ends", Array(layers[1].prefix(700))),
            stored("no bytes", "there is no archive", []),
            stored("broken gzip", "cannot be decompressed", try maker.passing(layers[1], through: "gzip | tr A-Z a-z")),
            stored("cut gzip", "it ends too early", try maker.passing(layers[1], through: "gzip | head -c 100")),
            stored("cut zstd", "it ends too early", try maker.passing(layers[1], through: "zstd -c | head -c 80")),
            stored(
                "a gzip bomb", "has more bytes than",
                try maker.passing(layers[0].dropLast(1024), through: "(cat; head -c 400M /dev/zero) | gzip")),
            known(
                "out of the layer", "leads out of the layer",
                try maker.layer("echo x > file", tar: "--transform 's,./file,../../file,' -P")),
            known(
                "an absurd size", "layer 2 of 2",
                try maker.layer(
                    "mkdir -p /tmp/absurd; truncate -s 4E /tmp/absurd/file; cd /tmp/absurd", tar: "--sparse")),
            known("no tar", "layer 2 of 2", [UInt8](repeating: 65, count: 4096)),
        ]
    }

    /// Archives of Docker's whose lists are not what they should be.
    private func manifestRefusals(_ layers: [[UInt8]]) throws -> [Refusal] {
        let good = maker.docker("bad:1", layers)
        let configuration = good.files[2].name
        func broken(_ name: String, _ reason: String, _ change: (inout ImageArchiveMaker.Parts) -> Void) -> Refusal {
            var parts = good
            change(&parts)
            return Refusal(name: name, reason: reason, parts: parts)
        }
        return [
            broken("another configuration", "has the digest") { $0.replace("amd64", with: "arm64", in: configuration) },
            broken("a lost layer", "has no 1/layer.tar") { $0["1/layer.tar"] = nil },
            broken("a lost configuration", "has no \(configuration)") { $0[configuration] = nil },
            broken("too few layers", "1 layers in the archive, and 2 by") {
                $0.replace(",\"1/layer.tar\"", with: "", in: "manifest.json")
            },
            broken("a link to itself", "leads to too many") {
                $0["1/layer.tar"] = nil
                $0.links = [("1/layer.tar", "../1/layer.tar")]
            },
            broken("a link out", "has no 1/layer.tar") {
                $0["1/layer.tar"] = nil
                $0.links = [("1/layer.tar", "/../../etc/passwd")]
            },
            broken("a file of the host", "has no /etc/passwd") {
                $0.replace("\(configuration)", with: "/etc/passwd", in: "manifest.json")
            },
        ] + documentRefusals(broken, configuration, layers)
    }

    private func documentRefusals(
        _ broken: (String, String, (inout ImageArchiveMaker.Parts) -> Void) -> Refusal, _ configuration: String,
        _ layers: [[UInt8]]
    ) -> [Refusal] {
        [
            broken("no JSON", "cannot be understood") { $0["manifest.json"] = "[{" },
            broken("deep JSON", "cannot be understood") {
                $0["manifest.json"] = String(repeating: "[", count: 1_000_000)
            },
            broken("another system", "is for windows") {
                let windows = $0[configuration]?.replacing("linux", with: "windows") ?? ""
                $0["w.json"] = windows
                $0.replace(configuration, with: "w.json", in: "manifest.json")
            },
            broken("10,000 layers", "has 10000 layers") { [maker] parts in
                let names = [String](repeating: "\"0/layer.tar\"", count: 10_000).joined(separator: ",")
                let digest = "\"\(ContentDigest(of: layers[0]))\""
                parts["c.json"] = maker.configuration(layers).replacing(
                    digest, with: [String](repeating: digest, count: 10_000).joined(separator: ","))
                parts["manifest.json"] = #"[{"Config":"c.json","RepoTags":null,"Layers":[\#(names)]}]"#
            },
            broken("no image", "is empty") { $0["manifest.json"] = "[]" },
            broken("Docker before 1.10", "before 1.10") {
                $0["manifest.json"] = nil
                $0["repositories"] = "{}"
            },
            broken("a plain archive", "there are no images in it") { $0["manifest.json"] = nil },
        ]
    }

    private func layoutRefusals(_ layers: [[UInt8]]) throws -> [Refusal] {
        let good = maker.layout("bad:1", layers, stored: layers)
        func broken(_ name: String, _ reason: String, _ change: (inout ImageArchiveMaker.Parts) -> Void) -> Refusal {
            var parts = good
            change(&parts)
            return Refusal(name: name, reason: reason, parts: parts)
        }
        let manifest = good.files[3].name
        let compressed = try layers.map { try maker.passing($0, through: "gzip -c") }
        var wrong = maker.layout("bad:1", layers, stored: compressed)
        // The content is the right one, and its compressed form is another than the manifest says.
        wrong.files[1].content = try maker.passing(layers[1], through: "gzip -1 -n -c; head -c 0 /dev/zero | gzip")
        return [
            Refusal(name: "another compression", reason: "its compressed archive has the digest", parts: wrong),
            broken("another manifest", "has the digest") { $0.replace("layers", with: "Layers", in: manifest) },
            broken("a lost manifest", "has no blobs/sha256") { $0[manifest] = nil },
            broken("another kind of digest", "is no digest by SHA-256") {
                $0.replace("sha256:", with: "md5:", in: "index.json")
            },
            broken("a digest that is a path", "is no digest by SHA-256") {
                $0["index.json"] = #"{"manifests":[{"digest":"sha256:../../../../../../etc/passwd"}]}"#
            },
            broken("a list within a list", "names no image") { parts in
                let inner = #"{"manifests":[]}"#
                let digest = ContentDigest(of: Array(inner.utf8))
                parts["blobs/sha256/\(digest.hexadecimal)"] = inner
                let entry = #"{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"\#(digest)"}"#
                let outer = #"{"manifests":[\#(entry)]}"#
                let outerDigest = ContentDigest(of: Array(outer.utf8))
                parts["blobs/sha256/\(outerDigest.hexadecimal)"] = outer
                parts["index.json"] = #"{"manifests":[{"mediaType":"index","digest":"\#(outerDigest)"}]}"#
            },
            broken("statements alone", "is empty") {
                $0["index.json"] = #"{"manifests":[{"digest":"x","platform":{"os":"unknown"}}]}"#
            },
        ]
    }

    @Test func refusesFoldersThatLeadOut() throws {
        let folder = try images.fixture.scratch.makeDirectory("layout")
        let secret = images.fixture.scratch.appending("secret")
        for (commands, reason) in [
            (#"printf '[{"Config":"../secret","Layers":[]}]' > manifest.json"#, "has no ../secret"),
            (#"ln -s ../secret c; printf '[{"Config":"c","Layers":[]}]' > manifest.json"#, "it is a symbolic link"),
            ("mkfifo manifest.json", "cannot open"), ("touch version; echo {} > manifest.json", "skopeo"),
            (":", "there are no images in it"),
        ] {
            try Shell.run(
                "echo secret > '\(secret)'; rm -rf '\(folder)'; mkdir '\(folder)'; cd '\(folder)'; \(commands)")
            let (status, output) = try images.run("image import '\(folder)'")
            #expect(status == 1 && output.contains(reason), "\(output)")
            #expect(try images.state() == .nothing)
        }
        try images.fixture.finish()
    }

    // MARK: Damages

    /// The advice of the import leads to a whole image again, whatever is lost of a layer.
    @Test(arguments: ["diff", "cache-id", "tar-split.json.gz"])
    func removesADamagedImageAndTakesItAgain(file: String) throws {
        let archive = try smallImage()
        try images.done("image import '\(archive)'")
        let layers = try images.state().layers
        try Shell.run("rm '\(images.fixture.root)'/images/layerdb/sha256/*/\(file)")
        if file != "tar-split.json.gz" {
            let (status, output) = try images.run("image import '\(archive)'")
            #expect(status == 1 && output.contains("dmlayer image remove"), "\(output)")
        }
        try images.done(
            "image remove $(jq -r '.Repositories.small[]' '\(images.fixture.root)/images/repositories.json')")
        // Nothing tells which layers of the store belonged to the image any more.
        let kept = file == "cache-id" ? layers : []
        #expect(try images.state().layers == kept)
        for layer in kept { try images.done("remove \(layer)") }
        #expect(try images.state() == .nothing)
        #expect(try images.done("image import '\(archive)'").hasSuffix("2 layers, 2 new"))
        try images.done("image remove small:1")
        try images.fixture.finish()
    }

    /// A change that cannot write the names does not begin, and none is held up behind it.
    @Test func changesNothingWhereTheNamesAreDamaged() throws {
        let archive = try smallImage()
        try images.done("image import '\(archive)'")
        let state = try images.state()
        let other = try maker.write(maker.docker("other:1", [maker.layer("echo 3 > file")]), as: "other.tar")
        let names = "'\(images.fixture.root)/images/repositories.json'"
        try Shell.run("cp \(names) \(names).whole; echo '{' > \(names)")
        for arguments in ["import '\(other)'", "remove \(state.images[0].suffix(64))"] {
            let (status, output) = try images.run("image \(arguments)")
            #expect(status == 1 && output.contains("repositories.json cannot be understood"), "\(output)")
        }
        try Shell.run("mv \(names).whole \(names)")
        #expect(try images.state() == state)
        try images.done("image import '\(other)'")
        try images.done("image remove small:1 other:1")
        #expect(try images.state() == .nothing)
        try images.fixture.finish()
    }

    // MARK: Failures

    private func smallImage() throws -> FilePath {
        try maker.write(maker.docker("small:1", [maker.layer("echo one > file"), maker.layer("echo two > file")]))
    }

    /// Each command to the kernel fails once, in an import and in a removal.
    @Test(arguments: FaultyTransport.Moment.allCases)
    func leavesAnImageWholeOrNotAtAll(moment: FaultyTransport.Moment) throws {
        let archive = try smallImage()
        let transport = images.fixture.transport
        func change(_ body: (ImageStore) throws -> Void) throws {
            try body(ImageStore(images.fixture.reopened()))
        }
        for step in ["import", "remove"] {
            var (points, isDone) = (0, false)
            while !isDone {
                if step == "remove" { try change { try $0.load(ImageInput(archive)) } }
                transport.fail(after: points, moment)
                do {
                    try change { store in
                        if step == "import" {
                            try store.load(ImageInput(archive))
                        } else {
                            _ = try store.remove("small:1")
                        }
                    }
                } catch {
                    #expect(!transport.isArmed, "\(error)")
                }
                isDone = transport.isArmed
                transport.disarm()
                // The next change completes the last one, or takes it back.
                _ = try ImageStore(images.fixture.reopened())
                let state = try images.state()
                let (whole, contents) = (state.images.count == 1, state.contents.count)
                #expect(
                    contents == (whole ? 2 : 0) && state.contents == state.layers && state.work == [],
                    "\(step) \(points)")
                #expect(step == "import" ? !isDone || whole : !isDone || !whole)
                if whole { try change { _ = try $0.remove("small:1") } }
                points += 1
            }
            print("fault sweep of \(step) of an image, \(moment): \(points) commands")
            #expect(points > 8)
        }
        #expect(try images.state() == .nothing)
        try images.fixture.finish()
    }

    /// An import that is killed at any moment is completed or taken back by the next one.
    @Test func completesOrTakesBackWhatAKillHasLeft() throws {
        let archive = try smallImage()
        let time = try ContinuousClock().measure { try images.done("image import '\(archive)'") } / .seconds(1)
        try images.done("image remove small:1")
        var wholes = 0
        for round in 0..<16 {
            _ = try Shell.runForStatus(
                """
                timeout --signal KILL \(time * (Double(round) + 0.5) / 12) \
                    '\(DMLayerCommand.path)' --root '\(images.fixture.root)' image import '\(archive)'
                """)
            let seen = try images.state().images.count
            _ = try ImageStore(images.fixture.reopened())
            let state = try images.state()
            #expect(
                state.contents.count == state.images.count * 2 && state.contents == state.layers && state.work == [])
            #expect(state.images.count >= seen)
            wholes += state.images.count
            if state.images.count == 1 { try images.done("image remove small:1") }
        }
        print("\(wholes) of 16 imports were whole when they were killed")
        #expect(try images.state() == .nothing)
        try images.fixture.finish()
    }
}
#endif
