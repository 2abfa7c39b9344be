import DeviceMapper
import Testing

@Suite struct DeviceNumberTests {
    @Test(arguments: ["0:0", "7:1", "253:255", "254:256", "4095:1048575"])
    func isTheSameAfterEncodingAndPrinting(text: String) throws {
        let number = try #require(DeviceNumber(text))
        #expect(number.description == text)
        #expect(DeviceNumber(encoded: number.encoded) == number)
    }

    @Test func usesTheEncodingOfTheKernel() throws {
        #expect(try #require(DeviceNumber(major: 254, minor: 3)).encoded == 0xfe03)
        #expect(try #require(DeviceNumber(major: 254, minor: 256)).encoded == 0x10_fe00)
    }

    @Test(arguments: ["", "7", "7:", ":1", "7:1:2", "4096:0", "0:1048576", "-1:0", "a:b", "7: 1"])
    func refusesWhatIsNoDeviceNumber(text: String) {
        #expect(DeviceNumber(text) == nil)
    }
}
