import FoundationEssentials
import TestSupport
import Testing
import ThinProvisioning

@testable import LayerStore

/// The short way to read and write a metadata file does what the decoder and encoder of any JSON do.
struct LayerRecordTextTests {
    private func decoded(_ text: [UInt8]) -> LayerRecord? {
        try? JSONDecoder().decode(LayerRecord.self, from: Data(text))
    }

    private func randomRecord(_ random: inout SeededRandom) -> LayerRecord {
        func number() -> UInt64 { random.next() >> UInt64.random(in: 0..<64, using: &random) }
        let texts = Self.texts
        return LayerRecord(
            deviceID: ThinDeviceID(UInt32.random(in: 0..<1 << 24, using: &random)) ?? .maximum, size: number(),
            transactionID: number(), isInitialized: .random(using: &random), isDeleted: .random(using: &random),
            parent: .random(using: &random) ? texts.randomElement(using: &random) : nil,
            created: .random(using: &random) ? Int64(bitPattern: number()) : nil,
            snapshot: .random(using: &random) ? randomSnapshot(&random) : nil)
    }

    /// Half of the texts need escapes in JSON, or could be thought to.
    private static let texts = ["base", "a", "web.1_2-3", "with blank", "~", "é", "\"", "\\", "\u{1}", "/"]

    /// A snapshot whose fields are all there or not, with texts that a usual form has and, seldom, others.
    private func randomSnapshot(_ random: inout SeededRandom) -> SnapshotRecord {
        func text() -> String {
            let plain = ["default/7/sha256:0a1b", "containerd.io/snapshot.ref", "A", "a", "a10", "a2", "", "b-c"]
            let isOdd = Int.random(in: 0..<40, using: &random) == 0
            return (isOdd ? Self.texts : plain).randomElement(using: &random) ?? ""
        }
        var record = SnapshotRecord(
            key: text(), kind: [.active, .view, .committed].randomElement(using: &random) ?? .view, parent: text(),
            labels: [:], time: Int64.random(in: 0...(.max), using: &random))
        for _ in 0..<Int.random(in: 0..<5, using: &random) { record.labels[text()] = text() }
        record.updated = Int64.random(in: 0...(.max), using: &random)
        record.inheritedBytes = random.next()
        record.committedBytes = .random(using: &random) ? random.next() : nil
        let options = (0..<Int.random(in: 0..<3, using: &random)).map { _ in text() }
        record.mountOptions = .random(using: &random) ? options : nil
        record.poolEvents =
            .random(using: &random)
            ? PoolEventMark(boot: text(), number: UInt32.random(in: 0...(.max), using: &random)) : nil
        record.hasLostWrites = [nil, true, false].randomElement(using: &random) ?? nil
        return record
    }

    @Test func agreesWithTheEncoder() throws {
        var random = SeededRandom(seed: 1)
        var (usual, snapshots) = (0, 0)
        for _ in 0..<4000 {
            let record = randomRecord(&random)
            let encoded = try StoreJSON.encode(record)
            guard let text = record.usualText else { continue }
            usual += 1
            if record.snapshot != nil { snapshots += 1 }
            #expect(text == encoded)
            #expect(LayerRecord(usualText: text) == (record.created ?? 0 < 0 ? nil : record))
        }
        #expect(usual > 1000 && snapshots > 500)
    }

    /// The decoder takes every text that the fast reader takes, with the same result.
    @Test func takesNothingThatIsNotJSON() {
        var random = SeededRandom(seed: 2)
        let bytes = Array(#"{}[]",:0123456789truefals -+.e\ "#.utf8) + [0, 0xff]
        var taken = 0
        for _ in 0..<20_000 {
            guard var text = randomRecord(&random).usualText, let byte = bytes.randomElement(using: &random) else {
                continue
            }
            let position = Int.random(in: 0..<text.count, using: &random)
            switch UInt8.random(in: 0..<3, using: &random) {
            case 0: text[position] = byte
            case 1: text.insert(byte, at: position)
            default: text.remove(at: position)
            }
            guard let record = LayerRecord(usualText: text) else { continue }
            taken += 1
            #expect(record == decoded(text), "\(String(decoding: text, as: UTF8.self))")
        }
        #expect(taken > 1000)
    }

    @Test(arguments: [
        #"{"device_id":1,"size":5,"transaction_id":0,"initialized":true}"#,
        #"{"device_id":16777215,"size":18446744073709551615,"transaction_id":2,"initialized":false,"deleted":true}"#,
    ]) func readsWhatDockerWrites(text: String) throws {
        let record = try #require(LayerRecord(usualText: Array(text.utf8)))
        #expect(record == decoded(Array(text.utf8)))
    }

    @Test(arguments: [
        "", "{", "{}", "[]", #"{"device_id":1,"size":5,"transaction_id":0,"initialized":true}"# + "\n",
        #"{"device_id":1,"device_id":1,"size":5,"transaction_id":0,"initialized":true}"#,
        #"{"device_id":01,"size":5,"transaction_id":0,"initialized":true}"#,
        #"{"device_id":16777216,"size":5,"transaction_id":0,"initialized":true}"#,
        #"{"device_id":1,"size":18446744073709551616,"transaction_id":0,"initialized":true}"#,
        #"{"device_id":1,"size":5,"transaction_id":0,"initialized":true,}"#,
        #"{"device_id":1,"size":5,"transaction_id":0,"initialized":true,"q":1}"#,
        #"{"device_id":1,"size":5,"transaction_id":0,"initialized":true,"parent":5}"#,
        #"{"device_id":1,"size":5,"transaction_id":0,"initialized":true,"parent":"a\"b"}"#,
        #"{"device_id":1,"size":5,"transaction_id":0,"initialized":true,"snapshot":{}}"#,
        #"{"device_id":1,"size":5,"transaction_id":0,"initialized":true,"snapshot":null}"#,
    ]) func leavesOtherFormsToTheDecoder(text: String) {
        #expect(LayerRecord(usualText: Array(text.utf8)) == nil)
    }
}
