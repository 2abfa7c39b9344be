import BlockDevices
import DeviceMapper
import Testing

/// A program that uses the library makes the library's answers in its own tests.
///
/// Nothing here is imported for tests.
@Suite struct DeviceAnswerTests {
    @Test func holders() throws {
        let number = try #require(DeviceNumber(major: 254, minor: 3))
        let mapping = DeviceHolder.Mapping(name: "pool", uuid: "EXAMPLE-1")
        let holder = DeviceHolder(number: number, kernelName: "dm-3", mapping: mapping)
        #expect((holder.number, holder.kernelName, holder.mapping?.uuid) == (number, "dm-3", "EXAMPLE-1"))
    }

    @Test func loopDevices() throws {
        let number = try #require(DeviceNumber(major: 8, minor: 1))
        let status = LoopStatus(
            backingDevice: number, backingInode: 2, offset: 3, sizeLimit: 4, isReadOnly: true,
            detachesAfterLastUse: true, usesDirectIO: false, fileName: "/data")
        #expect((status.backingDevice, status.backingInode, status.offset, status.sizeLimit) == (number, 2, 3, 4))
        #expect(status.isReadOnly && status.detachesAfterLastUse && !status.usesDirectIO && status.fileName == "/data")
    }
}
