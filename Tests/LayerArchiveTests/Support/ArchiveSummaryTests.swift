import LayerArchive
import SystemPackage
import Testing

/// A program that uses the library makes the library's answers in its own tests.
@Suite struct ArchiveSummaryTests {
    @Test func summaries() {
        let written = LayerExport.Summary(size: 1, entries: 2, sockets: 3, reservedNames: 4)
        #expect((written.size, written.entries, written.sockets, written.reservedNames) == (1, 2, 3, 4))
        let read = LayerExtraction.Summary(size: 1, entries: 2, refusedAttributes: 3, hasEndMark: false)
        let change = Change(.added, path: "/etc/motd")
        #expect((change.kind, change.path, change.description) == (.added, "/etc/motd", "A /etc/motd"))
        #expect((read.size, read.entries, read.refusedAttributes, read.hasEndMark) == (1, 2, 3, false))
    }
}
