import TestSupport
import Testing

@testable import DeviceMapper

@Suite struct KernelLogTests {
    private func reason(_ record: String, about number: String? = nil) -> String? {
        KernelLog.reason(in: Array(record.utf8)[...], about: number.flatMap { DeviceNumber($0) })
    }

    @Test func takesTheTextOfTheDeviceMapper() {
        let record =
            "3,1234,987654321,-;device-mapper: table: 254:5: zero: No arguments required (-EINVAL)\n SUBSYSTEM=x\n"
        #expect(reason(record) == "table: 254:5: zero: No arguments required (-EINVAL)")
        #expect(reason(record, about: "254:5") == "table: 254:5: zero: No arguments required (-EINVAL)")
        #expect(
            reason("4,1,2,-;device-mapper: ioctl: error adding target", about: "254:5") == "ioctl: error adding target")
    }

    @Test func leavesOutWhatIsAboutSomethingElse() {
        let record = "3,1234,987654321,-;device-mapper: table: 254:55: zero: No arguments required (-EINVAL)\n"
        #expect(reason(record, about: "254:5") == nil)
        #expect(reason("6,1,2,-;EXT4-fs (dm-5): mounted\n") == nil)
        #expect(reason("6,1,2,-;a device-mapper: table\n") == nil)
        #expect(reason("device-mapper: table: without a header\n") == nil)
        #expect(reason("") == nil)
        #expect(reason(";") == nil)
    }

    @Test func readsWhateverItIsGiven() {
        var random = SeededRandom(seed: 4)
        for _ in 0..<10_000 {
            let bytes = Array("1,2,3,-;device-mapper: ".utf8) + random.bytes(Int.random(in: 0..<40, using: &random))
            #expect(KernelLog.reason(in: bytes[...], about: nil) != nil)
            _ = KernelLog.reason(in: bytes.shuffled(using: &random)[...], about: DeviceNumber("254:1"))
        }
    }
}
