import DeviceMapper
import Synchronization
import SystemCalls
import SystemPackage
import TestSupport
import Testing

@testable import LayerStore

/// Devices that a process left suspended when it was killed, and the next operation that comes.
@Suite(.serialized) struct SuspensionTests {
    private func pool(_ fixture: StoreFixture) throws -> String {
        try #require(try fixture.devices().first { $0.hasSuffix("-pool") })
    }

    private func open(_ fixture: StoreFixture) throws -> StoreLock.Holder {
        try StoreLock(fixture.root.appending("lock")).open(until: .after(.seconds(5)))
    }

    /// Leaves the pool as a process does that is killed while it changes the pool's table.
    private func leaveThePoolSuspended(_ fixture: StoreFixture) throws {
        try WorkMarks().beginSuspension(open(fixture))
        try Shell.run("dmsetup suspend --noflush --nolockfs '\(pool(fixture))'")
    }

    /// An operation that lives may itself wait for the pool.
    @Test func resumesThePoolAlsoWhileAnotherOperationKeepsADeviceSuspended() throws {
        let fixture = try StoreFixture()
        let id = try LayerID("layer")
        try fixture.store.create(id)
        let living = try open(fixture)
        try elsewhere { try living.lock(.suspension, exclusively: false) }
        try leaveThePoolSuspended(fixture)
        _ = try fixture.reopened(patience: .seconds(1)).mount(id)
        try fixture.store.unmount(id)
        // The mark stays until no operation keeps a device suspended.
        #expect(try fixture.store.core.readMarks()?.suspensions == 1)
        living.close()
        try fixture.store.write("x", to: "file", in: id)
        #expect(try fixture.store.core.readMarks()?.suspensions == 0)
        try fixture.finish()
    }

    /// Nor does it wait for the pool where it gets the lock on tables from the process that was killed.
    @Test func resumesThePoolBeforeItChangesATable() throws {
        let fixture = try StoreFixture()
        let id = try LayerID("layer")
        try fixture.store.create(id)
        let killed = try open(fixture)
        _ = try fixture.store.mount(id)
        try elsewhere { try killed.lock(.capacity, exclusively: true) }
        let hasEnded = Atomic(false)
        let begin = ContinuousClock.now
        let results = onThreads(2) { number in
            if number == 0 {
                defer { hasEnded.store(true, ordering: .sequentiallyConsistent) }
                _ = try fixture.store.resize(id, to: 400 << 20)
            } else {
                // It is in the store by then, and waits for the lock on tables.
                pause(for: .seconds(2))
                let isStillWaiting = !hasEnded.load(ordering: .sequentiallyConsistent)
                #expect(isStillWaiting)
                try leaveThePoolSuspended(fixture)
                killed.close()
            }
        }
        for result in results { try result.get() }
        #expect(ContinuousClock.now - begin < .seconds(20))
        try fixture.store.unmount(id)
        #expect(try fixture.suspendedDevices() == [])
        try fixture.finish()
    }

    /// A pool that a person has suspended stays so, and no operation seems to be done or waits for it.
    @Test func refusesAPoolThatSomebodyElseSuspended() throws {
        let fixture = try StoreFixture()
        let (parent, child) = (try LayerID("parent"), try LayerID("child"))
        try fixture.store.create(parent)
        _ = try fixture.store.mount(parent)
        let pool = try pool(fixture)
        try Shell.run("dmsetup suspend '\(pool)'")
        let commands = [
            "create child --parent parent", "create child", "mount parent", "unmount parent", "resize parent 400m",
        ]
        for arguments in commands {
            let (status, output) = try Shell.runForStatus(
                "timeout 20 '\(DMLayerCommand.path)' --root '\(fixture.root)' \(arguments)")
            #expect(status == 1 && output.contains("“dmlayer dm resume \(pool)” lets it go on"), "\(output)")
        }
        #expect(try fixture.suspendedDevices().contains { $0.contains(pool) })
        try DMLayerCommand.run("dm resume '\(pool)'")
        try fixture.store.create(child, parent: parent)
        try fixture.store.unmount(parent)
        try fixture.finish()
    }

    /// The number of the pool's device is another device's as soon as the pool has been taken down.
    @Test func resumesNoDeviceOfAnotherProgramByThePoolsNumber() throws {
        let fixture = try StoreFixture()
        let name = try pool(fixture)
        let minor = try Shell.run("dmsetup info -c --noheadings -o minor '\(name)'")
        try leaveThePoolSuspended(fixture)
        fixture.transport.interrupt(after: .deviceStatus) {
            do {
                try Shell.run(
                    """
                    dmsetup resume '\(name)' && dmsetup remove --retry '\(name)'
                    dmsetup create stranger --table '0 8 zero' && dmsetup suspend stranger
                    """)
            } catch {
                Issue.record(error)
            }
        }
        try fixture.store.core.resumeAll()
        #expect(try Shell.run("dmsetup info -c --noheadings -o minor,suspended stranger") == "\(minor):Suspended")
        try Shell.run("dmsetup remove stranger")
        try fixture.finish()
    }

    /// A pool is taken down only while nothing else changes its table.
    @Test func takesThePoolOfARepairDownUnderTheLockOnTables() throws {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("layer"))
        try fixture.store.shutdown()
        let witness = LockWitness(try KernelTransport(), StoreLock(fixture.root.appending("lock")))
        let report = try LayerStore.repair(fixture.root, transport: witness)
        #expect(report.isClean)
        #expect(witness.isLocked.withLock { $0 } == true)
        #expect(try fixture.devices().isEmpty)
        try fixture.finish()
    }
}

/// Sends commands to the kernel, and looks whether the lock on tables is held when the last device is removed.
private final class LockWitness: ControlTransport {
    private let kernel: KernelTransport
    private let lock: StoreLock
    let isLocked = Mutex<Bool?>(nil)

    init(_ kernel: KernelTransport, _ lock: StoreLock) {
        self.kernel = kernel
        self.lock = lock
    }

    func perform(_ command: ControlCommand, request: UnsafeMutableRawBufferPointer) -> Errno? {
        if command == .removeDevice {
            // The lock file is there.
            let isHeld = try? lock.isHeld(.capacity)
            isLocked.withLock { $0 = isHeld }
        }
        return unsafe kernel.perform(command, request: request)
    }
}
