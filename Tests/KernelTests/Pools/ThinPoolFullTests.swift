import DeviceMapper
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

/// Snapshots of a thin device whose pool has no space left.
@Suite(.serialized) struct ThinPoolFullTests {
    private let transport: FaultyTransport
    private let fixture: DMFixture

    init() throws {
        transport = FaultyTransport(try KernelTransport())
        fixture = try DMFixture(transport: transport)
    }

    /// A thin device with a file system that is mounted, in a pool of 8 MiB.
    private func mounted(features: String) throws -> (pool: ThinPool, thin: DeviceInformation, path: FilePath) {
        let (metadata, data) = (try fixture.disk("metadata", size: 4 << 20), try fixture.disk("data", size: 8 << 20))
        let device = try fixture.device("pool", "0 16384 thin-pool \(metadata) \(data) 128 0 \(features)")
        let pool = try ThinPool(fixture.control, open: .number(device.number))
        let one = try #require(ThinDeviceID(1))
        try pool.createDevice(one)
        let thin = try pool.activate(
            one, name: fixture.name("thin"), uuid: DeviceUUID(fixture.prefix + "thin"),
            length: Sectors(wholeSectorsIn: 32 << 20))
        let path = try fixture.scratch.makeDirectory("mounted")
        try Shell.run(
            "mkfs.ext4 -q -E nodiscard,lazy_itable_init=1 -O ^has_journal /dev/dm-\(thin.number.minor) && "
                + "mount /dev/dm-\(thin.number.minor) '\(path)'")
        return (pool, thin, path)
    }

    private func isOutOfSpace(_ pool: ThinPool) throws -> Bool {
        guard case .available(let state) = try pool.status() else { return false }
        return state.mode == .outOfDataSpace
    }

    @Test func areRefusedWhereWritesWait() throws {
        let (pool, thin, path) = try mounted(features: "0")
        let (one, two) = (try #require(ThinDeviceID(1)), try #require(ThinDeviceID(2)))
        // The writer waits for space, and so would whoever freezes the file system.
        try Shell.run("(dd if=/dev/zero of='\(path)/file' bs=1M count=16 oflag=direct >/dev/null 2>&1 &) ; sleep 0.1")
        try Patience.until { try isOutOfSpace(pool) }
        transport.forget()
        let start = ContinuousClock.now
        let error = #expect(throws: DeviceMapperError.self) {
            try pool.createSnapshot(two, of: one, active: .number(thin.number))
        }
        #expect(start.duration(to: .now) < .seconds(5))
        #expect(error?.code == .outOfSpace)
        #expect(error?.description.contains("make the pool larger") == true)
        // It asked for the status, without a commit, and suspended nothing.
        #expect(transport.commands == [.tableStatus])
        #expect(try !fixture.control.information(on: .number(thin.number)).isSuspended)
        // Where nothing has to be suspended, the pool takes it.
        try pool.createSnapshot(two, of: one)
        // With more space everything goes on.
        try pool.setErrorIfNoSpace(true)
        try Patience.until { try Shell.runForStatus("pgrep -x dd").status != 0 }
        try pool.deleteDevice(two)
        try Shell.run("umount '\(path)'")
    }

    @Test func areMadeWhereWritesFail() throws {
        let (pool, thin, path) = try mounted(features: "1 error_if_no_space")
        let (one, two) = (try #require(ThinDeviceID(1)), try #require(ThinDeviceID(2)))
        _ = try Shell.runForStatus("dd if=/dev/zero of='\(path)/file' bs=1M count=16 oflag=direct")
        #expect(try isOutOfSpace(pool))
        try pool.createSnapshot(two, of: one, active: .number(thin.number))
        #expect(try !fixture.control.information(on: .number(thin.number)).isSuspended)
        try Shell.run("umount '\(path)'")
    }
}
