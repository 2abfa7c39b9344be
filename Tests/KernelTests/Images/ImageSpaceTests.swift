#if Images
import SystemPackage
import TestSupport
import Testing

/// Imports that find no room, in a small store on a small file system.
@Suite(.serialized) struct ImageSpaceTests {
    private let images: ImageStoreFixture

    init() throws { images = try ImageStoreFixture(["dm.basesize=64m"], rootSize: "400m") }

    private var maker: ImageArchiveMaker { images.maker }

    /// A stream of zeros would fill the file system of the root.
    @Test func leavesSpaceWhereAStreamHasNoEnd() throws {
        let (status, output) = try images.importing(from: "head -c 900M /dev/zero | gzip -1")
        #expect(status == 1 && output.contains("has not enough space"), "\(output)")
        #expect(try images.state() == .nothing)
        try images.fixture.finish()
    }

    /// The device is too small for the second layer.
    @Test func takesALayerBackThatHasNoRoom() throws {
        let layers = [
            try maker.layer("echo one > file"), try maker.layer("head -c 62M /dev/urandom > file"),
        ]
        let (status, output) = try images.run("image import '\(maker.write(maker.docker("large:1", layers)))'")
        #expect(status == 1 && output.contains("layer 2 of 2") && output.contains("No space left"), "\(output)")
        #expect(try images.state() == .nothing)
        try images.fixture.finish()
    }
}
#endif
