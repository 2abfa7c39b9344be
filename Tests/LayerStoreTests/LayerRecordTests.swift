import FoundationEssentials
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

@testable import LayerStore

/// Layer ids, and the metadata files of layers.
struct LayerRecordTests {
    let scratch: ScratchDirectory
    let metadata: LayerRegistry

    init() throws {
        scratch = try ScratchDirectory()
        metadata = try LayerRegistry(scratch.path)
    }

    private func write(_ name: String, _ text: String) throws {
        try DurableDirectory(scratch.path).write(name, Array(text.utf8))
    }

    @Test(arguments: ["a", "0", "4f2ab", "a-b_c.d", "A.tar", String(repeating: "f", count: 64), "a-init"])
    func takesLayerIDs(text: String) throws {
        #expect(try LayerID(text).text == text)
    }

    @Test(arguments: [
        "", ".", "..", "../x", "a/b", "/", "-a", "_a", ".a", "a b", "a\u{0}", "ä", "a\n", "base", "deviceset-metadata",
        "transaction-metadata", "old.migrated", "a%2f",
    ]) func refusesLayerIDs(text: String) {
        #expect {
            try LayerID(text)
        } throws: {
            ($0 as? LayerStoreError)?.code == .invalidLayerID && ("\($0)".contains(text) || text.isEmpty)
        }
    }

    @Test func readsWhatDockerWrote() throws {
        let id = try LayerID("a")
        try write("a", #"{"device_id":42,"size":10737418240,"transaction_id":57,"initialized":false,"deleted":false}"#)
        let record = try #require(try metadata.record(of: id))
        #expect(record.deviceID == ThinDeviceID(42))
        #expect(record.size == 10 << 30)
        #expect(record.transactionID == 57)
        #expect(!record.isInitialized && !record.isDeleted)
        #expect(record.parent == nil && record.created == nil)
        // Older ones had no "deleted".
        try write("a", #"{"device_id":1,"size":5,"transaction_id":0,"initialized":true}"#)
        #expect(try metadata.record(of: id)?.isInitialized == true)
        #expect(try metadata.record(of: LayerID("b")) == nil)
    }

    @Test func passesOverFieldsOfOthers() throws {
        try write("a", #"{"labels":{"x":[1]},"device_id":1,"size":5,"transaction_id":0,"initialized":true,"q":null}"#)
        #expect(try metadata.record(of: LayerID("a"))?.size == 5)
    }

    /// The decoder of FoundationEssentials traps on the first of these.
    @Test(arguments: [("[", ""), ("[", "]"), ("{\"a\":", "")])
    func survivesWhatIsNestedDeeply(opening: String, closing: String) throws {
        let nested = String(repeating: opening, count: 600) + String(repeating: closing, count: 600)
        try write("a", "{\n\"x\":\n\(nested)")
        #expect {
            try metadata.record(of: LayerID("a"))
        } throws: {
            ($0 as? LayerStoreError)?.code == .damagedMetadata && "\($0)".contains("line 3")
        }
    }

    @Test func writesWhatDockerReads() throws {
        let record = LayerRecord(
            deviceID: .maximum, size: 10 << 30, transactionID: 57, isInitialized: false, isDeleted: false,
            parent: "base", created: 1_700_000_000)
        try metadata.save(record, of: LayerID("a"))
        #expect(
            try Shell.run("cat '\(scratch.appending("a"))'")
                == #"{"created":1700000000,"deleted":false,"device_id":16777215,"format":1,"initialized":false,"#
                + #""parent":"base","size":10737418240,"transaction_id":57}"#)
        #expect(try metadata.record(of: LayerID("a")) == record)
    }

    @Test(arguments: [
        ("", ""), ("{", ""), ("[]", ""), ("null", ""), ("\u{0}\u{0}\u{0}", ""),
        (#"{"size":5,"transaction_id":0,"initialized":true}"#, "device_id"),
        (#"{"device_id":1,"transaction_id":0,"initialized":true}"#, "size"),
        (#"{"device_id":1,"size":5,"initialized":true}"#, "transaction_id"),
        (#"{"device_id":1,"size":5,"transaction_id":0}"#, "initialized"),
        (#"{"device_id":"1","size":5,"transaction_id":0,"initialized":true}"#, "device_id"),
        (#"{"device_id":1,"size":null,"transaction_id":0,"initialized":true}"#, "size"),
        (#"{"device_id":1,"size":5,"transaction_id":0,"initialized":1}"#, "initialized"),
        (#"{"device_id":16777216,"size":5,"transaction_id":0,"initialized":true}"#, "16777215"),
        (#"{"device_id":-1,"size":5,"transaction_id":0,"initialized":true}"#, "device_id"),
        (#"{"device_id":1,"size":-5,"transaction_id":0,"initialized":true}"#, ""),
        (#"{"device_id":1,"size":18446744073709551616,"transaction_id":0,"initialized":true}"#, ""),
        (#"{"device_id":1e99,"size":5,"transaction_id":0,"initialized":true}"#, ""),
    ]) func namesWhatIsWrong(text: String, part: String) throws {
        try write("a", text)
        #expect {
            try metadata.record(of: LayerID("a"))
        } throws: {
            ($0 as? LayerStoreError)?.code == .damagedMetadata && "\($0)".contains(scratch.appending("a").string)
                && (part.isEmpty || "\($0)".contains(part))
        }
    }

    @Test func listsEachFileOnItsOwn() throws {
        try write("good", #"{"device_id":1,"size":5,"transaction_id":0,"initialized":true}"#)
        try write("bad", "junk")
        try write("base", #"{"device_id":0,"size":5,"transaction_id":0,"initialized":true}"#)
        try write("deviceset-metadata", "{}")
        try write("transaction-metadata", "{}")
        try write("json.migrated", "{}")
        try Shell.run("mkdir '\(scratch.appending("directory"))'; ln -s good '\(scratch.appending("link"))'")
        let records = try metadata.records()
        #expect(records.map(\.name) == ["bad", "base", "good", "link"])
        #expect(records.map { (try? $0.record.get()) != nil } == [false, true, true, false])
    }

    @Test func removesInTwoSteps() throws {
        let id = try LayerID("a")
        try write("a", #"{"device_id":9,"size":5,"transaction_id":0,"initialized":true}"#)
        let record = try #require(try metadata.record(of: id))
        try metadata.beginRemoval(of: id, record)
        #expect(try metadata.record(of: id) == nil)
        #expect(try metadata.unfinishedRemovals() == [record])
        #expect(try metadata.records().isEmpty)
        try metadata.endRemoval(record)
        try metadata.endRemoval(record)
        #expect(try metadata.unfinishedRemovals().isEmpty)
    }
}
