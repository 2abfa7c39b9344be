import LayerStore
import TestSupport
import Testing

/// The end of every store test finds what the test has left.
@Suite(.serialized) struct StoreFixtureTests {
    /// Something that is left.
    enum Remain: CaseIterable {
        case suspendedDevice, deviceWithTheStoresUUID, loopDevice, mount

        /// A script that leaves it; the test's directory takes loop devices and mounts away.
        func script(_ fixture: StoreFixture, device: String) throws -> String {
            let root = fixture.root
            switch self {
            case .suspendedDevice:
                let pool = try #require(try fixture.devices().first { $0.hasSuffix("-pool") })
                return "dmsetup suspend '\(pool)'"
            case .deviceWithTheStoresUUID:
                let uuid = "DMLAYER-\(fixture.store.configuration.storeID)-9999"
                return "dmsetup create '\(device)' --uuid '\(uuid)' --table '0 8 zero'"
            case .loopDevice: return "truncate -s 1M '\(root)/left'; losetup --find '\(root)/left'"
            case .mount: return "mkdir '\(root)/left'; mount -t tmpfs none '\(root)/left'"
            }
        }
    }

    private let device = "left-\(UInt32.random(in: 0 ... .max))"

    @Test(arguments: Remain.allCases, [false, true]) func findsWhatIsLeft(remain: Remain, finishes: Bool) throws {
        // A device that stands still keeps finish() waiting.
        if finishes, remain == .suspendedDevice { return }
        try withKnownIssue {
            let fixture = try StoreFixture()
            try Shell.run(remain.script(fixture, device: device))
            if finishes { try fixture.finish() }
        } matching: { issue in
            "\(issue)".contains("at the end of the test") || "\(issue)".contains("remains.everything()")
        }
        if remain == .deviceWithTheStoresUUID { try Shell.run("dmsetup remove '\(device)'") }
    }

    @Test func findsNothingWhereNothingIsLeft() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("layer"))
        _ = try fixture.store.mount(LayerID("layer"))
    }

    @Test func believesATestThatLeavesSomethingOnPurpose() throws {
        do {
            let fixture = try StoreFixture()
            try Shell.run(Remain.deviceWithTheStoresUUID.script(fixture, device: device))
            fixture.leavesRemains(because: "this test shows how")
        }
        try Shell.run("dmsetup remove '\(device)'")
    }
}
