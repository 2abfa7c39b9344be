#if Images
import Images
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// A store of our own for images, with what its tests ask of it.
struct ImageStoreFixture {
    let fixture: StoreFixture
    let maker: ImageArchiveMaker

    init(_ options: [String] = [], rootSize: String = "1500m") throws {
        fixture = try StoreFixture(options, rootSize: rootSize)
        // On the file system of the root, which has extended attributes.
        maker = ImageArchiveMaker(folder: try fixture.scratch.makeDirectory("fs/archives"))
    }

    /// Runs the command.
    func run(_ arguments: String) throws -> (status: Int, output: String) { try fixture.run(arguments) }

    /// Imports what a shell command writes.
    func importing(from command: String) throws -> (status: Int, output: String) {
        try Shell.runForStatus(
            "\(command) | '\(DMLayerCommand.path)' --root '\(fixture.root)' image import - 2>&1")
    }

    /// Runs the command, which must be done.
    @discardableResult
    func done(_ arguments: String, _ location: SourceLocation = #_sourceLocation) throws -> String {
        let (status, output) = try fixture.run(arguments)
        #expect(status == 0, "\(output)", sourceLocation: location)
        return output
    }

    /// The state of the images: names and ids, layers of images, layers of the store, work that has not ended.
    func state() throws -> State {
        let folder = fixture.root.appending("images")
        let images = try done("image list --all --no-trunc").split(separator: "\n").dropFirst().map {
            line in
            let words = line.split(separator: " ", omittingEmptySubsequences: true)
            return "\(words[0]):\(words[1]) \(words[2])"
        }
        func names(_ path: String) throws -> [String] {
            try Shell.run("ls -A '\(folder)/\(path)' 2> /dev/null || true").split(separator: "\n").map(String.init)
        }
        let contents = try names("layerdb/sha256").map { chain in
            try Shell.run("cat '\(folder)/layerdb/sha256/\(chain)/cache-id'")
        }
        return State(
            images: images.sorted(), contents: contents.sorted(),
            layers: try fixture.store.layers().compactMap { entry in
                if case .layer(let id, _) = entry, id != .base { id.text } else { nil }
            }.sorted(),
            work: try names("layerdb/tmp")
                + names("").filter { $0.hasPrefix(".dmlayer-") || $0 == "dmlayer-change.json" })
    }

    struct State: Equatable {
        var images: [String] = []
        /// The contents of the layers of images.
        var contents: [String] = []
        /// The layers of the store.
        var layers: [String] = []
        var work: [String] = []

        static let nothing = State()
    }

    /// The digests of the configuration and of the layers in an archive of `image save`, whose names are their digests.
    func contents(of archive: FilePath) throws -> [String] {
        try Shell.run(
            """
            set -e
            rm -rf '\(maker.folder)/saved'; mkdir '\(maker.folder)/saved'; cd '\(maker.folder)/saved'
            tar -xf '\(archive)'
            jq -r '.[] | .Config, .Layers[]' manifest.json | while read path; do sha256sum < $path | cut -c 1-64; done
            """
        ).split(separator: "\n").map(String.init)
    }
}
#endif
