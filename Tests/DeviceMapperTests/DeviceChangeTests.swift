import DeviceMapper
import Testing

/// The changes between two lists of devices.
@Suite struct DeviceChangeTests {
    private func device(
        _ name: String, _ minor: UInt32, event: UInt32 = 0, uuid: String? = nil
    ) throws -> DeviceListEntry {
        DeviceListEntry(
            name: try DeviceName(name), number: try #require(DeviceNumber(major: 254, minor: minor)),
            eventNumber: event, uuid: try uuid.map { try DeviceUUID($0) })
    }

    @Test func comparesLists() throws {
        let old = try [device("same", 0), device("gone", 1), device("old-name", 2), device("busy", 3)]
        let new = try [device("same", 0), device("new-name", 2), device("busy", 3, event: 4), device("new", 5)]
        #expect(
            DeviceChange.changes(from: old, to: new) == [
                DeviceChange(.removed, old[1]), DeviceChange(.renamed(from: try DeviceName("old-name")), new[1]),
                DeviceChange(.changed, new[2]), DeviceChange(.created, new[3]),
            ])
        #expect(DeviceChange.changes(from: old, to: old).isEmpty)
    }

    /// The number of a device that has gone is given to the next one.
    @Test func knowsADeviceByItsUUID() throws {
        let old = try device("name", 0, uuid: "A")
        let new = try device("name", 0, uuid: "B")
        #expect(
            DeviceChange.changes(from: [old], to: [new]) == [DeviceChange(.removed, old), DeviceChange(.created, new)])
        // A device that had no uuid may have got one.
        let nameless = try device("name", 0)
        #expect(DeviceChange.changes(from: [nameless], to: [new]) == [DeviceChange(.changed, new)])
    }
}
