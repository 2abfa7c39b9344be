import DeviceMapper
import TestSupport
import Testing
import ThinProvisioning

/// Status lines of thin pools and thin devices, from real kernels and from nobody.
struct ThinStatusTests {
    private func state(_ text: String, blockSize: Sectors = 128) throws -> ThinPoolState {
        guard case .available(let state) = try ThinPoolStatus(parsing: text, blockSize: blockSize) else {
            throw Failed()
        }
        return state
    }

    private struct Failed: Error {}

    // Linux 5.10, 6.1 and 6.12 print the same words.
    @Test func readsAPoolThatWorks() throws {
        let state = try state("57 185/4096 1234/16384 - rw discard_passdown queue_if_no_space - 1024")
        #expect(state.transactionID == 57)
        #expect(state.metadata.used == 185)
        #expect(state.metadata.total == 4096)
        #expect(state.metadata.usedBytes == 185 * 4096)
        #expect(state.metadata.totalBytes == 16 << 20)
        #expect(state.data.free == 16384 - 1234)
        #expect(state.data.freeBytes == (16384 - 1234) << 16)
        #expect(state.heldMetadataRoot == nil)
        #expect(state.mode == .readWrite)
        #expect(state.discards == .passedDown)
        #expect(!state.errorIfNoSpace)
        #expect(!state.needsCheck)
        #expect(state.metadataLowWaterMark == 1024)
    }

    @Test func readsAPoolInTrouble() throws {
        let full = try state("0 10/1024 8/8 77 out_of_data_space ignore_discard error_if_no_space needs_check 9")
        #expect(full.heldMetadataRoot == 77)
        #expect(full.mode == .outOfDataSpace)
        #expect(full.discards == .ignored)
        #expect(full.errorIfNoSpace)
        #expect(full.needsCheck)
        #expect(full.data.free == 0)
        let readOnly = try state("0 10/1024 8/8 - ro no_discard_passdown queue_if_no_space needs_check 9")
        #expect(readOnly.mode == .readOnly)
        #expect(readOnly.discards == .notPassedDown)
    }

    @Test func readsOldAndNewLines() throws {
        // Before Linux 4.19 there was no low-water mark, before 4.8 no "needs_check"; later ones may append words.
        #expect(try state("0 1/2 3/4 - rw discard_passdown queue_if_no_space").metadataLowWaterMark == nil)
        #expect(try state("0 1/2 3/4 - rw discard_passdown queue_if_no_space - 5 new words").metadataLowWaterMark == 5)
    }

    @Test(arguments: ["Fail", "Error"]) func readsAPoolThatHasFailed(text: String) throws {
        #expect(try ThinPoolStatus(parsing: text, blockSize: 128) == .failed)
        #expect(try ThinDeviceStatus(parsing: text) == .failed)
    }

    @Test(arguments: [
        "", " ", "0", "0 1/2 3/4 - rw discard_passdown", "x 1/2 3/4 - rw discard_passdown queue_if_no_space",
        "0 2/1 3/4 - rw discard_passdown queue_if_no_space", "0 1/2 5/4 - rw discard_passdown queue_if_no_space",
        "0 1/2/3 3/4 - rw discard_passdown queue_if_no_space", "0 /2 3/4 - rw discard_passdown queue_if_no_space",
        "0 1/2 3/4 - rx discard_passdown queue_if_no_space", "0 1/2 3/4 - rw discards queue_if_no_space",
        "-1 1/2 3/4 - rw discard_passdown queue_if_no_space",
        "0 1/18446744073709551615 3/4 - rw discard_passdown queue_if_no_space",
        "18446744073709551616 1/2 3/4 - rw discard_passdown queue_if_no_space",
    ]) func refusesWhatIsNoStatusOfAPool(text: String) {
        #expect {
            try ThinPoolStatus(parsing: text, blockSize: 128)
        } throws: {
            ($0 as? DeviceMapperError)?.code == .malformedAnswer
        }
    }

    @Test func readsThinDevices() throws {
        #expect(try ThinDeviceStatus(parsing: "0 -") == .available(mapped: 0, highest: nil))
        #expect(try ThinDeviceStatus(parsing: "17280 614399") == .available(mapped: 17280, highest: 614399))
        #expect(try ThinDeviceStatus(parsing: "-") == .failed)
    }

    @Test(arguments: ["", "17280", "x 5", "-5 5", "18446744073709551616 5"])
    func refusesWhatIsNoStatusOfAThinDevice(text: String) {
        #expect {
            try ThinDeviceStatus(parsing: text)
        } throws: {
            ($0 as? DeviceMapperError)?.code == .malformedAnswer
        }
    }

    /// Any text is read or refused, and a status that is read can be calculated with.
    @Test func staysWholeWhateverComes() {
        let words = [
            "0", "1", "57", "1/2", "185/4096", "4096/4096", "0/0", "18446744073709551615", "1/18446744073709551615",
            "-", "rw", "ro", "out_of_data_space", "Fail", "Error", "discard_passdown", "ignore_discard",
            "queue_if_no_space", "error_if_no_space", "needs_check", "", "/", "1/", "\u{0}", "½", "-1", "\t",
        ]
        var random = SeededRandom(seed: 11)
        var understood = 0
        for _ in 0..<20_000 {
            var text = (0..<Int.random(in: 0...10, using: &random)).map { _ in words.randomElement(using: &random) ?? ""
            }
            if Bool.random(using: &random) {
                text.replaceSubrange(
                    0..<min(4, text.count), with: ["3", "1/2", "3/18446744073709551", "-"])
            }
            let line = text.joined(separator: " ")
            let blockSize = Sectors([0, 1, 128, UInt64.max >> 9].randomElement(using: &random) ?? 0)
            _ = try? ThinDeviceStatus(parsing: line)
            if case .available(let state)? = try? ThinPoolStatus(parsing: line, blockSize: blockSize) {
                understood += 1
                #expect(state.data.usedBytes <= state.data.totalBytes)
                #expect(state.data.freeBytes <= state.data.totalBytes)
                #expect(state.metadata.usedBytes <= state.metadata.totalBytes)
            }
        }
        #expect(understood > 10)
    }

    @Test func numbersThinDevices() {
        #expect(ThinDeviceID(0)?.value == 0)
        #expect(ThinDeviceID(-1) == nil)
        #expect(ThinDeviceID(1 << 24) == nil)
        #expect(ThinDeviceID((1 << 24) - 1) == .maximum)
        #expect(ThinDeviceID.maximum.next.value == 1)
        #expect(ThinDeviceID(41)?.next.description == "42")
    }
}
