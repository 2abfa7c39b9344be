import DeviceMapper
import TestSupport
import Testing

/// Statistics of devices, and what dmsetup says about them.
@Suite(.serialized) struct DMStatisticsTests {
    let fixture: DMFixture

    init() throws {
        fixture = try DMFixture()
    }

    @Test func countsTheRequestsOfEachArea() throws {
        let device = try fixture.device("device", "0 4096 linear \(try fixture.disk("disk")) 0")
        let statistics = DeviceStatistics(fixture.control, of: .name(device.name))
        #expect(try statistics.regions().isEmpty)
        let whole = try statistics.makeRegion()
        let part = try statistics.makeRegion(
            1024..<3072, division: .length(512), precise: true, boundaries: [1000, 2_000_000_000], program: "my-tests",
            note: "a-note")
        #expect([whole, part] == [0, 1])
        let regions = try statistics.regions()
        #expect(regions.map(\.range) == [0..<4096, 1024..<3072])
        #expect(regions.map(\.areaLength) == [4096, 512])
        #expect(regions.map(\.isPrecise) == [false, true])
        #expect(regions[1].boundaries == [1000, 2_000_000_000])
        #expect(regions[1].program == "my-tests" && regions[1].note == "a-note")
        #expect(try statistics.regions(of: "my-tests") == [regions[1]])
        #expect(try statistics.regions(of: "other-tests").isEmpty)

        // 4 blocks of 4096 bytes: sectors 1536 to 1568, in the second area of the part.
        try Shell.run("dd if=/dev/zero of=/dev/dm-\(device.number.minor) bs=4096 count=4 seek=192 oflag=direct")
        let areas = try statistics.counters(of: part)
        #expect(areas.map(\.range) == [1024..<1536, 1536..<2048, 2048..<2560, 2560..<3072])
        #expect(areas.map(\.writes.sectors) == [0, 32, 0, 0])
        #expect(areas.map(\.writes.completed) == [0, 4, 0, 0])
        #expect(areas[1].histogram.count == 3 && areas[1].histogram.reduce(0, +) == 4)
        #expect(areas[1].writes.time > 0 && areas[1].underWay == 0)
        #expect(try statistics.counters(of: part, areas: 1..<2) == [areas[1]])
        #expect(try statistics.counters(of: whole).first?.writes.sectors == 32)
        // dmsetup asks for the same.
        let printed = try Shell.run("dmsetup message \(device.name) 0 @stats_print \(part)")
        #expect(printed.split(separator: "\n").count == 4)
        #expect(printed.contains("1536+512 0 0 0 0 4 "))

        try statistics.setNote("another", of: part)
        try statistics.clear(part)
        #expect(try statistics.regions()[1].note == "another")
        #expect(try statistics.counters(of: part).allSatisfy { $0.writes.completed == 0 })
        try statistics.delete(part)
        #expect(try statistics.regions().map(\.id) == [whole])
    }

    /// More areas than fit into the first buffer.
    @Test func readsManyAreas() throws {
        let device = try fixture.device("device", "0 8192 zero")
        let statistics = DeviceStatistics(fixture.control, of: .name(device.name))
        let region = try statistics.makeRegion(division: .length(1))
        #expect(try statistics.counters(of: region).count == 8192)
        #expect(
            try statistics.counters(of: region, areas: 8000..<8010).map(\.range.lowerBound.count) == Array(8000..<8010))
    }

    @Test func saysWhatTheKernelDoesNotTake() throws {
        let device = try fixture.device("device", "0 8 zero")
        let statistics = DeviceStatistics(fixture.control, of: .name(device.name))
        #expect(throws: DeviceMapperError.self) { try statistics.counters(of: 7) }
        #expect(throws: DeviceMapperError.self) { try statistics.makeRegion(boundaries: [2, 1]) }
        #expect(throws: DeviceMapperError.self) { try statistics.delete(0) }
        // The kernel would list two words for one.
        let error = #expect(throws: DeviceMapperError.self) { try statistics.makeRegion(program: "my tests") }
        #expect(error?.code == .invalidName)
        #expect(try statistics.regions().isEmpty)
    }
}
