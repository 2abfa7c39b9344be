#if Images
import SystemPackage
import TestSupport
import Testing

@testable import Images

@Suite struct LayerRebuildTests {
    @Test func makesTheArchiveAgain() throws {
        let layer = try RecordedLayer()
        let (bytes, outcome) = try layer.rebuild()
        let archive = try ImageFile.read(layer.archive)
        #expect(bytes == archive)
        #expect(outcome.firstFault == nil)
        #expect(outcome.digest.hexadecimal == (try Shell.run("sha256sum < '\(layer.archive)' | cut -c 1-64")))
        #expect(try LayerRebuild(tarSplit: layer.record).size() == Int64(archive.count))
    }

    /// The archive keeps its size, because its header was written already; its digest says that it is another one.
    @Test(arguments: [
        ("echo Root > etc/passwd", "“./etc/passwd” has another content"),
        ("rm big", "“./big” cannot be read: No such file"),
        ("truncate -s 99999 big", "“./big” has 99999 bytes instead of 100000"),
        ("rm big; mkfifo big", "“./big” cannot be read: Invalid argument"),
        ("rm big; ln -s /etc/hostname big", "“./big” cannot be read: Too many levels of symbolic links"),
        (
            "mv etc hidden; ln -s /../../../../etc etc",
            "“./etc/passwd” cannot be read: Too many levels of symbolic links"
        ),
        ("rm \"$(printf 'not-utf8-\\377')\"", "“./not-utf8-\\xff” cannot be read: No such file"),
    ])
    func saysWhatHasChanged(change: String, fault: String) throws {
        let layer = try RecordedLayer()
        let archive = try ImageFile.read(layer.archive)
        try layer.change(change)
        let (bytes, outcome) = try layer.rebuild()
        #expect(bytes.count == archive.count && bytes != archive)
        #expect(outcome.firstFault?.hasPrefix(fault) == true, "\(outcome.firstFault ?? "nothing")")
        #expect(outcome.digest != ContentDigest(of: archive))
    }

    /// The archive has no more of a file than was recorded; where that is what it was, the archive is the same.
    @Test func takesTheBeginningOfAFileThatGrew() throws {
        let layer = try RecordedLayer()
        try layer.change("echo more >> real/file")
        #expect(try layer.rebuild().bytes == ImageFile.read(layer.archive))
    }

    /// A link within the layer leads to where it would lead in the container.
    @Test func followsLinksWithinTheLayer() throws {
        let layer = try RecordedLayer()
        try layer.change("mv etc moved; ln -s /moved etc")
        let (bytes, outcome) = try layer.rebuild()
        #expect(outcome.firstFault == nil)
        #expect(try bytes == ImageFile.read(layer.archive))
    }

    @Test(arguments: [
        ("head -c 200 RECORD > cut && mv cut RECORD", "it ends too early"),
        ("printf junk > RECORD", "incorrect header check"), ("rm RECORD", "cannot open"),
        ("echo '{\"type\":3}' | gzip > RECORD", "unknown type 3"), ("echo '{' | gzip > RECORD", "cannot be understood"),
        ("echo '{\"type\":1,\"size\":-1,\"name\":\"a\"}' | gzip > RECORD", "negative size"),
        ("echo '{\"type\":1,\"size\":1}' | gzip > RECORD", "a file has no name"),
        ("yes '{\"type\":1,\"name\":\"a\",\"size\":9000000000000000000}' | head -n 2 | gzip > RECORD", "too large"),
        ("head -c 20000000 /dev/zero | tr '\\0' x | gzip > RECORD", "longer than"),
    ])
    func refusesADamagedRecord(damage: String, reason: String) throws {
        let layer = try RecordedLayer()
        try layer.change(damage.replacing("RECORD", with: "'\(layer.record)'"))
        do {
            _ = try LayerRebuild(tarSplit: layer.record).size()
            Issue.record("the record was read")
        } catch let error as ImageError {
            #expect(error.description.contains(reason) && error.description.contains("tar-split.json.gz"), "\(error)")
        }
    }

    @Test func readsSeveralStreamsAsOne() throws {
        let layer = try RecordedLayer()
        try layer.change(
            """
            zcat '\(layer.record)' > lines; split -n l/3 lines part-; rm lines
            for part in part-*; do gzip -c "$part"; done > '\(layer.record)'; rm part-*
            """)
        #expect(try layer.rebuild().bytes == ImageFile.read(layer.archive))
    }

    /// The check value of CRC-64/GO-ISO, from the catalogue of parametrised CRC algorithms.
    @Test func computesTheChecksum() {
        var sum = CRC64()
        sum.update(Array("123456789".utf8).span)
        #expect(sum.value == 0xb909_56c7_75a4_1001)
    }
}
#endif
