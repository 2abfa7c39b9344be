import SystemCalls
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

@testable import LayerStore

/// The numbers of thin devices.
struct DeviceNumbersTests {
    let scratch: ScratchDirectory
    let registry: LayerRegistry
    let lock: StoreLock
    let marks = WorkMarks()
    let numbers: DeviceNumbers

    init() throws {
        scratch = try ScratchDirectory()
        registry = try LayerRegistry(scratch.makeDirectory("metadata"))
        lock = StoreLock(scratch.appending("lock"))
        numbers = DeviceNumbers(registry, marks)
    }

    private func start(after last: UInt32) throws {
        let last = try #require(ThinDeviceID(last))
        try numbers.reset(to: last.next, keepingOthers: false, removals: 0, open())
    }

    private func open() throws -> StoreLock.Holder { try lock.open(until: .after(.seconds(20))) }

    private func take(taken: Set<UInt32> = []) throws -> DeviceNumbers.Ticket {
        try numbers.take(open()) { first in
            taken.contains { number in ThinDeviceID(number).map { first.distance(to: $0) < 32 } ?? false }
        }
    }

    private func isReserved(_ id: ThinDeviceID) throws -> Bool { try registry.numbers().reserved.contains(id) }

    private func hasUnfinished() throws -> Bool { try marks.read(open()).hasLayersInMaking() }

    @Test func countsOn() throws {
        try start(after: 41)
        for number in 42..<200 {
            let ticket = try take()
            #expect(ticket.id == ThinDeviceID(number))
            #expect(try hasUnfinished())
            try numbers.finish(ticket, open())
            #expect(try !hasUnfinished())
        }
    }

    @Test func reservesAheadAndForgetsWhatIsBehind() throws {
        try start(after: 0)
        for _ in 0..<1000 {
            let ticket = try take()
            #expect(try isReserved(ticket.id))
            try numbers.finish(ticket, open())
            #expect(try registry.names().count <= 3)
        }
    }

    @Test func goesOnAfterTheLargestNumberWithOne() throws {
        try start(after: ThinDeviceID.maximum.value - 2)
        let taken = try (0..<4).map { _ in
            let ticket = try take()
            #expect(try isReserved(ticket.id))
            try numbers.finish(ticket, open())
            return ticket.id.value
        }
        #expect(taken == [ThinDeviceID.maximum.value - 1, ThinDeviceID.maximum.value, 1, 2])
    }

    @Test func keepsAReservationWhileSomethingOfItIsUnderWay() throws {
        try start(after: 0)
        let slow = try take()
        for _ in 0..<200 {
            let ticket = try take()
            #expect(try isReserved(ticket.id))
            try numbers.finish(ticket, open())
        }
        #expect(try isReserved(slow.id))
        #expect(try hasUnfinished())
        try numbers.finish(slow, open())
        for _ in 0..<64 { try numbers.finish(take(), open()) }
        #expect(try !isReserved(slow.id))
    }

    /// The one that would have made the next reservation durable is the last to end.
    @Test func reservesEveryNumberWhoeverIsSlow() throws {
        try start(after: 0)
        var tickets: [DeviceNumbers.Ticket] = []
        for _ in 0..<100 {
            let ticket = try take()
            #expect(try isReserved(ticket.id))
            tickets.append(ticket)
        }
        for ticket in tickets.reversed() { try numbers.finish(ticket, open()) }
        for _ in 0..<200 {
            let ticket = try take()
            #expect(try isReserved(ticket.id))
            try numbers.abandon(ticket, open())
        }
        #expect(try !hasUnfinished())
    }

    @Test(arguments: [
        "", "junk", "1 2", "1 2 3 4 5 6 7", "x2 3 4 5 6 7 8 9 10 11 12", "1 2 3 4 5 6 7 8 9 10 x",
        "99999999999 1 1 1 1 1 1", "16777216 1 1 1 0 0 0",
        String(repeating: "9", count: 500),
    ]) func takesJunkForACrash(text: String) throws {
        try Shell.run("printf '%s' '\(text)' > '\(scratch.appending("lock"))'")
        #expect(try hasUnfinished())
        let ticket = try take()
        #expect(try isReserved(ticket.id))
        try numbers.finish(ticket, open())
    }

    @Test func givesEveryTakerANumberOfItsOwn() throws {
        try start(after: 0)
        let results = onThreads(8) { [self] _ in
            try (0..<100).map { _ in
                let ticket = try take()
                try numbers.finish(ticket, open())
                return ticket.id
            }
        }
        let ids = try results.flatMap { try $0.get() }
        #expect(Set(ids).count == 800)
        #expect(ids.max() == ThinDeviceID(800))
        #expect(try !hasUnfinished())
    }

    /// Recovery deletes the devices of reserved numbers that no layer has, so a number that the pool has is never reserved.
    @Test func passesOverBlocksInWhichThePoolHasDevices() throws {
        try start(after: 0)
        let taken: Set<UInt32> = [40, 64, 100, 200]
        var handed: [UInt32] = []
        for _ in 0..<200 {
            let ticket = try take(taken: taken)
            for number in taken { #expect(try !isReserved(#require(ThinDeviceID(number)))) }
            try numbers.finish(ticket, open())
            handed.append(ticket.id.value)
        }
        #expect(taken.isDisjoint(with: handed))
        #expect(Set(handed).count == 200)
    }

    @Test func keepsANumberThatAnotherProgramTook() throws {
        try start(after: 0)
        let number = try #require(ThinDeviceID(7))
        #expect(try isReserved(number))
        try registry.exclude(number)
        #expect(try !isReserved(number))
        try start(after: 100)
        #expect(try registry.names().count == 1)
    }

    /// After a crash, these numbers are known to be the store's until the machine is started again.
    @Test func tellsWithWhichNumbersLayersAreMade() throws {
        try start(after: 0)
        let tickets = try (0..<40).map { _ in try take() }
        #expect(try marks.read(open()).making == Set(tickets.map(\.id)))
        #expect(try !marks.read(open()).hasLayersInMaking(except: Set(tickets.map(\.id))))
        #expect(try marks.read(open()).hasLayersInMaking(except: [tickets[0].id]))
        for ticket in tickets.dropLast() { try numbers.finish(ticket, open()) }
        #expect(try marks.read(open()).making == [tickets[39].id])
        try numbers.abandon(tickets[39], open())
        #expect(try !hasUnfinished())
    }

    /// The file has room for so many numbers and no more.
    @Test func countsManyLayersInMakingAsUnknown() throws {
        try start(after: 1_000_000)
        for _ in 0..<300 {
            let ticket = try take()
            #expect(try isReserved(ticket.id))
            let state = try marks.read(open())
            #expect(state.making.contains(ticket.id) || state.isMakingUnknown)
            #expect(state.next == ticket.id.next)
        }
        #expect(try hasUnfinished())
    }

    /// A thread that stands still must not keep the other threads of its process waiting for ever.
    @Test func waitsForAnotherThreadOnlyForATime() throws {
        try start(after: 0)
        let impatient = WorkMarks(patience: 1)
        let results = onThreads(2) { [self] number in
            if number == 1 { pause(for: .milliseconds(500)) }
            try impatient.update(open()) { (_) throws(LayerStoreError) in
                if number == 0 { pause(for: .seconds(4)) }
            }
        }
        _ = try results[0].get()
        let begin = #expect(throws: LayerStoreError.self) { try results[1].get() }
        #expect(begin?.code == .busy)
        #expect(begin?.reason.contains("other operations of this process") == true)
        // The turn is to be had again.
        try impatient.update(open()) { (_) throws(LayerStoreError) in }
    }

    @Test func passesOverNamesThatAreNoReservations() {
        let names = ["a", ".reserved-device-ids.", ".reserved-device-ids.x", ".reserved-device-ids.16777216"]
        #expect(LayerRegistry.numbers(in: names).reserved.isEmpty)
        #expect(LayerRegistry.numbers(in: [".reserved-device-ids.16777215"]).reserved.count == 32)
    }
}
