import DeviceMapper
import SystemCalls
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

@testable import LayerStore

/// Pools that other programs make thin devices in as well: the store leaves what may be theirs.
@Suite(.serialized) struct SharedPoolTests {
    private let fixture: DMFixture
    private let pool: DeviceInformation
    private let root: FilePath

    init() throws {
        fixture = try DMFixture()
        let (metadata, data) = (try fixture.disk("m", size: 16 << 20), try fixture.disk("d", size: 1 << 30))
        pool = try fixture.device("pool", "0 2097152 thin-pool \(metadata) \(data) 128 0 1 skip_block_zeroing")
        root = fixture.scratch.appending("root")
    }

    private func initialize() throws -> LayerStore {
        try LayerStore.initialize(
            root,
            options: StorageOptions(parsing: [
                "dm.basesize=300m", "dm.fs=ext4", "dm.min_free_space=1%", "dm.thinpooldev=/dev/mapper/\(pool.name)",
            ]), removals: .beforeReturning)
    }

    private func reopened() throws -> LayerStore { try LayerStore(opening: root, removals: .beforeReturning) }

    private func message(_ text: String) throws { try Shell.run("dmsetup message '\(pool.name)' 0 '\(text)'") }

    private func hasDevice(_ number: ThinDeviceID) throws -> Bool {
        do {
            try message("create_thin \(number)")
        } catch {
            return true
        }
        try message("delete \(number)")
        return false
    }

    /// The marks of another start of the machine.
    private func startMachine() throws {
        try Shell.run(
            """
            cd '\(root)' && awk '{ $1 = $1 + 1; print }' lock > ../lock && cat ../lock > lock && rm ../lock
            """)
    }

    /// Takes a number as an operation does that makes a layer, and makes the thin device; then the process dies.
    private func dieWhileMakingALayer() throws -> ThinDeviceID {
        let numbers = DeviceNumbers(try LayerRegistry(root.appending("metadata")), WorkMarks())
        let holder = try StoreLock(root.appending("lock")).open(until: .after(.seconds(5)))
        let ticket = try numbers.take(holder) { (_) throws(LayerStoreError) in false }
        holder.close()
        try message("create_thin \(ticket.id)")
        return ticket.id
    }

    private func numberInTheBlock(of store: LayerStore, beyond count: UInt32) throws -> ThinDeviceID {
        try store.details(of: LayerID("layer")).record.deviceID.advanced(by: count)
    }

    /// The block is reserved; another program took one of its numbers that the store never handed out.
    @Test(arguments: [false, true]) func leavesADeviceOfAnotherProgram(isMachineStarted: Bool) throws {
        let store = try initialize()
        try store.create(LayerID("layer"))
        let foreign = try numberInTheBlock(of: store, beyond: 5)
        try message("create_thin \(foreign)")
        let died = try dieWhileMakingALayer()
        if isMachineStarted { try startMachine() }
        try reopened().create(LayerID("other"))
        #expect(try hasDevice(foreign))
        // Until the machine is started again, the marks tell that a dead process of the store made the device.
        #expect(try hasDevice(died) == isMachineStarted)

        let findings = try LayerStore.check(root).findings.filter { $0.kind == .orphanDevice }
        #expect(findings.map(\.subject).sorted() == (isMachineStarted ? [died, foreign] : [foreign]).map { "\($0)" })
        #expect(findings.allSatisfy { !$0.isRepairable && $0.advice?.contains("--delete") == true })
        for left in isMachineStarted ? [died, foreign] : [foreign] { try message("delete \(left)") }
        #expect(try LayerStore.check(root).isClean)
        try store.shutDownLeavingNothing(at: root)
    }

    /// An `init` was killed before it made its base device, and the pool was given to another program.
    @Test(arguments: [false, true]) func aRepeatedInitDeletesNothingOfAnotherProgram(isMachineStarted: Bool) throws {
        let store = try initialize()
        let base = try store.details(of: .base).record.deviceID
        try store.shutdown()
        try Shell.run(
            """
            cd '\(root)' && rm metadata/base metadata/deviceset-metadata
            sed -i 's/{/{"making":{"files":[],"devices":[],"is_volume_group_new":false,"was_pool_active":true},/' store.json
            """)
        try message("delete \(base)")
        let foreign = base.advanced(by: 3)
        try message("create_thin \(foreign)")
        if isMachineStarted { try startMachine() }
        let made = try initialize()
        #expect(try hasDevice(foreign))
        try made.create(LayerID("layer"))
        try message("delete \(foreign)")
        try made.shutDownLeavingNothing(at: root)
    }

    /// The program that made the pool suspends it for its own work.
    @Test func leavesAPoolSuspendedThatItDidNotSuspend() throws {
        let store = try initialize()
        let holder = try StoreLock(root.appending("lock")).open(until: .after(.seconds(5)))
        try WorkMarks().beginSuspension(holder)
        try Shell.run("dmsetup suspend '\(pool.name)'")
        _ = try reopened().status()
        #expect(try fixture.control.information(on: .number(pool.number)).isSuspended)
        try Shell.run("dmsetup resume '\(pool.name)'")
        try store.shutDownLeavingNothing(at: root)
    }

    /// A pool that lost its base device is recognised by its layers, also under a new name.
    @Test func takesANewNameOfAPoolWithoutItsBaseDevice() throws {
        let layer = try LayerID("layer")
        let store = try initialize()
        try store.create(layer)
        try store.write("kept", to: "file", in: layer)
        try store.shutdown()
        try message("delete \(store.details(of: .base).record.deviceID)")
        let renamed = try fixture.name("renamed")
        try Shell.run("dmsetup rename '\(pool.name)' '\(renamed)'")
        let again = try LayerStore.initialize(
            root, options: StorageOptions(parsing: ["dm.thinpooldev=/dev/mapper/\(renamed)"]),
            removals: .beforeReturning)
        #expect(try again.read("file", in: layer) == "kept")
        try again.shutDownLeavingNothing(at: root)
    }
}
