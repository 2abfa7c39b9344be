import DeviceMapper
import Testing

@testable import ThinProvisioning

/// The lines of the kernel's log about the events of a pool.
@Suite struct ThinPoolEventTests {
    private func event(_ text: String) throws -> ThinPoolEvent? {
        ThinPoolEvent(record: Array("6,1203,81233,-;\(text)\n".utf8)[...], of: try #require(DeviceNumber("252:1")))
    }

    @Test func readsEvents() throws {
        for (text, expected, losesWrites) in [
            (
                "switching pool to out-of-data-space (error IO) mode",
                ThinPoolEvent.mode("out-of-data-space (error IO)"), true
            ),
            ("switching pool to out-of-data-space (queue IO) mode", .mode("out-of-data-space (queue IO)"), false),
            ("switching pool to read-only mode", .mode("read-only"), true),
            ("switching pool to fail mode", .mode("fail"), true),
            ("switching pool to write mode", .mode("write"), false),
            ("reached low water mark for data device: sending event.", .isLow, false),
            ("reached low water mark for metadata device: sending event.", .isLow, false),
        ] {
            let event = try event("device-mapper: thin: 252:1: \(text)")
            #expect(event == expected)
            #expect(event?.losesWrites == losesWrites)
        }
    }

    @Test func leavesOutWhatIsAboutSomethingElse() throws {
        for text in [
            "device-mapper: thin: 252:10: switching pool to fail mode",
            "device-mapper: thin: 52:1: switching pool to fail mode",
            "device-mapper: thin: 252:1: no free data space available.", "252:1: switching pool to fail mode", "",
        ] {
            #expect(try event(text) == nil)
        }
        #expect(ThinPoolEvent(record: [], of: try #require(DeviceNumber("252:1"))) == nil)
    }
}
