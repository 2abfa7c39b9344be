import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

@testable import LayerStore

/// The numbers of thin devices.
struct DeviceIDAllocatorTests {
    let scratch: ScratchDirectory
    let directory: DurableDirectory
    let lock: StoreLock
    let allocator: DeviceIDAllocator

    init() throws {
        scratch = try ScratchDirectory()
        directory = try DurableDirectory(scratch.makeDirectory("metadata"))
        lock = StoreLock(scratch.appending("lock"))
        allocator = DeviceIDAllocator(directory: directory)
    }

    private func start(after last: UInt32) throws {
        let last = try #require(ThinDeviceID(last))
        try allocator.reset(after: last, keepingOthers: false, removals: 0, directory.names(), lock.open())
    }

    private func isReserved(_ id: ThinDeviceID) throws -> Bool {
        allocator.reservedIDs(try directory.names()).contains(id)
    }

    private func hasUnfinished() throws -> Bool {
        try allocator.hasUnfinished(lock.open())
    }

    @Test func countsOn() throws {
        try start(after: 41)
        for number in 42..<200 {
            let ticket = try allocator.take(lock.open())
            #expect(ticket.id == ThinDeviceID(number))
            #expect(try hasUnfinished())
            try allocator.finish(ticket, lock.open())
            #expect(try !hasUnfinished())
        }
    }

    @Test func reservesAheadAndForgetsWhatIsBehind() throws {
        try start(after: 0)
        for _ in 0..<1000 {
            let ticket = try allocator.take(lock.open())
            #expect(try isReserved(ticket.id))
            try allocator.finish(ticket, lock.open())
            #expect(try directory.names().count <= 3)
        }
    }

    @Test func goesOnAfterTheLargestNumberWithOne() throws {
        try start(after: ThinDeviceID.maximum.value - 2)
        let numbers = try (0..<4).map { _ in
            let ticket = try allocator.take(lock.open())
            #expect(try isReserved(ticket.id))
            try allocator.finish(ticket, lock.open())
            return ticket.id.value
        }
        #expect(numbers == [ThinDeviceID.maximum.value - 1, ThinDeviceID.maximum.value, 1, 2])
    }

    @Test func keepsAReservationWhileSomethingOfItIsUnderWay() throws {
        try start(after: 0)
        let slow = try allocator.take(lock.open())
        for _ in 0..<200 {
            let ticket = try allocator.take(lock.open())
            #expect(try isReserved(ticket.id))
            try allocator.finish(ticket, lock.open())
        }
        #expect(try isReserved(slow.id))
        #expect(try hasUnfinished())
        try allocator.finish(slow, lock.open())
        for _ in 0..<64 { try allocator.finish(allocator.take(lock.open()), lock.open()) }
        #expect(try !isReserved(slow.id))
    }

    /// The one that would have made the next reservation durable is the last to end.
    @Test func reservesEveryNumberWhoeverIsSlow() throws {
        try start(after: 0)
        var tickets: [DeviceIDAllocator.Ticket] = []
        for _ in 0..<100 {
            let ticket = try allocator.take(lock.open())
            #expect(try isReserved(ticket.id))
            tickets.append(ticket)
        }
        for ticket in tickets.reversed() { try allocator.finish(ticket, lock.open()) }
        for _ in 0..<200 {
            let ticket = try allocator.take(lock.open())
            #expect(try isReserved(ticket.id))
            try allocator.abandon(ticket, lock.open())
        }
        #expect(try !hasUnfinished())
    }

    @Test(arguments: [
        "", "junk", "1 2", "1 2 3 4 5 6 7", "99999999999 1 1 1 1 1 1", "16777216 1 1 1 0 0 0",
        String(repeating: "9", count: 500),
    ]) func takesJunkForACrash(text: String) throws {
        try Shell.run("printf '%s' '\(text)' > '\(scratch.appending("lock"))'")
        #expect(try hasUnfinished())
        let ticket = try allocator.take(lock.open())
        #expect(try isReserved(ticket.id))
        try allocator.finish(ticket, lock.open())
    }

    @Test func givesEveryTakerANumberOfItsOwn() throws {
        try start(after: 0)
        let results = onThreads(8) { [allocator, lock] _ in
            try (0..<100).map { _ in
                let ticket = try allocator.take(lock.open())
                try allocator.finish(ticket, lock.open())
                return ticket.id
            }
        }
        let ids = try results.flatMap { try $0.get() }
        #expect(Set(ids).count == 800)
        #expect(ids.max() == ThinDeviceID(800))
        #expect(try !hasUnfinished())
    }

    @Test func passesOverNamesThatAreNoReservations() {
        let names = ["a", ".reserved-device-ids.", ".reserved-device-ids.x", ".reserved-device-ids.16777216"]
        #expect(allocator.reservedIDs(names).isEmpty)
        #expect(allocator.reservedIDs([".reserved-device-ids.16777215"]).count == 32)
    }
}
