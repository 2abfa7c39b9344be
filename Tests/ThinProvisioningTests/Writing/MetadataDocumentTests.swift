import SystemPackage
import TestSupport
import Testing

@testable import ThinProvisioning

/// The XML of metadata, read and written to a file.
struct MetadataDocumentTests {
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private static let pool =
        #"<superblock uuid="" time="1" transaction="2" data_block_size="128" nr_data_blocks="100">"#
    private static let device =
        #"<device dev_id="1" mapped_blocks="1" transaction="0" creation_time="0" snap_time="0">"#

    private func restore(_ text: String) throws -> FilePath {
        let file = try scratch.makeSparseFile("metadata", size: 1 << 20)
        var writer = try ThinMetadataWriter(file)
        var reader = ThinMetadataDocumentReader(Array(text.utf8))
        try reader.read(into: &writer)
        return file
    }

    /// A pool that the kernel has written comes back from its dump, with every device as it was.
    @Test func bringsBackADump() throws {
        let (source, copy, xml) = (
            scratch.appending("source"), try scratch.makeSparseFile("copy", size: 64 << 20), scratch.appending("xml")
        )
        try Shell.run(
            """
            xz -dc '\(ProjectFolder.path)/fixtures/thin-metadata/metadata.xz' > '\(source)'
            thin_dump '\(source)' > '\(xml)'
            """)
        let document = try FileDescriptor.open(xml, .readOnly)
        try document.closeAfter {
            var writer = try ThinMetadataWriter(copy)
            var reader = ThinMetadataDocumentReader(document)
            try reader.read(into: &writer)
        }
        try Shell.run("thin_check '\(copy)' && thin_dump '\(copy)' | cmp - '\(xml)'")
    }

    @Test func takesOtherFormsOfTheSame() throws {
        let file = try restore(
            "<?xml version='1.0'?>\n<!-- a > b -->\n" + Self.pool + "\n<def name='&lt;'>"
                + "<single_mapping time='0' data_block='3'\n origin_block='7' /></def><def name='b'/>"
                + Self.device + "<ref name=\"&lt;\" ></ref>".replacing("></ref>", with: "/>")
                + "<range_mapping origin_begin='8' data_begin='9' length='2' time='1'/></device></superblock>\n<!---->")
        let metadata = try ThinPoolMetadata(reading: ThinMetadataDevice(file))
        let id = try #require(ThinDeviceID(1))
        #expect(try metadata.triples(of: id) == [[7, 3, 0], [8, 9, 1], [9, 10, 1]])
    }

    @Test(arguments: [
        (1, ""), (1, "text"), (1, "<"), (1, "<superblock"), (1, "<device>"), (1, "<superblock uuid='>"),
        (2, "\(pool)\n"), (2, "\(pool)\n</device>"), (2, "\(pool)\n<ref name='1'/>"), (2, "\(pool)\n<def/>"),
        (2, "\(pool)\n<def name='1'>"), (3, "\(pool)\n\n\(device)<ref name='1'/>"),
        (2, "\(pool)\n\(device)<single_mapping origin_block=\"1\" data_block=\"100\" time=\"0\"/>"),
        (2, "\(pool)\n\(device)<single_mapping origin_block=\"18446744073709551615\" data_block=\"1\" time=\"0\"/>"),
        (2, "\(pool)\n\(device)<single_mapping origin_block=\"18446744073709551616\" data_block=\"1\" time=\"0\"/>"),
        (2, "\(pool)\n\(device)<range_mapping origin_begin=\"1\" data_begin=\"1\" length=\"0\" time=\"0\"/>"),
        (2, "\(pool)\n\(device)<range_mapping origin_begin=\"1\" data_begin=\"1\" length=\"-1\" time=\"0\"/>"),
        (2, "\(pool)\n<def name='1'><def name='2'></def></def>"), (1, "<!DOCTYPE a>"), (1, "<!-- "),
        (2, "\(pool)\n</superblock>x"), (2, "\(pool)\n</superblock>\(pool)"), (1, pool.replacing("128", with: "100")),
        (1, pool.replacing("\"1\"", with: "\"16777216\"")), (1, pool.replacing("uuid", with: "unknown")),
        (1, pool.replacing("100", with: "18446744073709551615")),
    ])
    func refusesWithTheLine(line: Int, text: String) throws {
        let error = #expect(throws: ThinMetadataDocumentError.self) { _ = try restore(text) }
        #expect(error?.line == line, "\(String(describing: error))")
    }

    /// A tag without an end is not collected for ever.
    @Test func refusesALongTag() throws {
        let text = Self.pool + "<def name='" + String(repeating: "a", count: 1 << 20) + "'/></superblock>"
        #expect(throws: ThinMetadataDocumentError.self) { _ = try restore(text) }
    }
}
