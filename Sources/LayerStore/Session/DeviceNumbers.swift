internal import DeviceMapper
internal import Synchronization
internal import ThinProvisioning

/// Hands out the numbers of new thin devices, so that a device which a crash left without a layer is found again.
///
/// Numbers come from blocks that are reserved durably before any of them is used. A reservation is an empty file in the
/// metadata directory, whose name is the first number. It becomes durable together with a layer that is registered before
/// the block is used, so it costs nothing. After a crash, the recovery of a pool that the store made deletes every thin device
/// in a reserved block that no layer has. So a block in which the pool has a device already is never reserved, and a number
/// that another program took after the reservation is noted (``LayerRegistry/exclude(_:)``). In a pool that was made
/// elsewhere, another program may have taken a reserved number meanwhile. There the recovery deletes only the numbers with
/// which layers were being made, and the marks tell those only until the machine is started again.
final class DeviceNumbers: Sendable {
    /// A number with which a layer is being made.
    struct Ticket: Hashable, Sendable {
        let id: ThinDeviceID
        /// The block whose reservation becomes durable when this layer is registered.
        fileprivate let reservation: ThinDeviceID?
    }

    private let registry: LayerRegistry
    private let marks: WorkMarks
    /// The numbers with which this process makes layers, each of which has a mark.
    private let inMaking = Mutex<Set<ThinDeviceID>>([])

    init(_ registry: LayerRegistry, _ marks: WorkMarks) {
        self.registry = registry
        self.marks = marks
    }

    // MARK: Making a layer

    /// Makes a thin device with a new number.
    ///
    /// The kernel answers a message with success also where it could not commit it, and makes the pool read-only then. So
    /// the pool is asked for its mode before the device counts as made.
    ///
    /// - Parameters:
    ///   - pool: The pool.
    ///   - metadata: Opens the pool's metadata; asked once for each block of numbers.
    ///   - holder: The caller's locks.
    ///   - create: Sends the message that makes the device with the number.
    /// - Throws: The errors of `create`; ``LayerStoreError/Code/failed`` when the pool did not commit.
    func makeDevice(
        in pool: ThinPool, metadata: () throws -> ThinMetadataDevice, _ holder: StoreLock.Holder,
        _ create: (ThinDeviceID) throws -> Void
    ) throws -> Ticket {
        // Another program, or Docker before a crash, may have taken numbers that no layer has.
        for _ in 0...ThinDeviceID.maximum.value {
            let ticket = try take(holder) { (first) throws(LayerStoreError) in
                try Self.hasDevice(inBlock: first, metadata)
            }
            do {
                try create(ticket.id)
                guard case .available(let state) = try pool.status(), state.mode != .readOnly else {
                    throw LayerStoreError(
                        .failed,
                        "the pool \(pool.name) could not commit the new thin device, and takes no more changes; “dmlayer pool "
                            + "status” says what to do")
                }
                return ticket
            } catch let error as DeviceMapperError where error.code == .alreadyExists {
                // The mark goes first: where the number cannot be noted, it must not be taken for one of a dead process.
                try abandon(ticket, holder)
                try registry.exclude(ticket.id)
            } catch let error as DeviceMapperError where error.command == .suspendDevice {
                // Whether the message was sent is not known, nor to whom a device of this number belongs. The mark stays for
                // the recovery.
                forget(ticket)
                throw error
            } catch {
                try discard(ticket, in: pool, holder)
                throw error
            }
        }
        throw LayerStoreError(.failed, "the pool \(pool.name) has no free device number left")
    }

    /// Records that the layer of `ticket` is registered, which has made a new reservation durable as well.
    ///
    /// - Parameter isLast: Whether the holder gives up all of its locks after this.
    func finish(_ ticket: Ticket, _ holder: StoreLock.Holder, isLast: Bool = false) throws(LayerStoreError) {
        forget(ticket)
        try marks.update(holder, isLast: isLast) { state throws(LayerStoreError) in
            Self.settle(ticket, &state)
            guard let block = ticket.reservation, block == state.following else { return }
            state.isFollowingDurable = true
            // With nothing in the making in older blocks, every number there belongs to a layer or to nothing.
            guard !state.isMakingUnknown, state.oldest != state.block,
                state.making.allSatisfy({ state.block.distance(to: $0) < NumberBlock.size })
            else { return }
            try registry.dropReservations(from: state.oldest, to: state.block)
            state.oldest = state.block
        }
    }

    /// Deletes the thin device of a layer that could not be completed.
    ///
    /// Where the deletion fails, the mark stays, and the recovery deletes the device.
    func discard(_ ticket: Ticket, in pool: ThinPool, _ holder: StoreLock.Holder) throws(LayerStoreError) {
        forget(ticket)
        do {
            try pool.deleteIfPresent(ticket.id)
        } catch {
            return
        }
        try marks.update(holder) { state throws(LayerStoreError) in Self.settle(ticket, &state) }
    }

    /// Takes back the mark of a number with which no device was made.
    func abandon(_ ticket: Ticket, _ holder: StoreLock.Holder) throws(LayerStoreError) {
        forget(ticket)
        try marks.update(holder) { state throws(LayerStoreError) in Self.settle(ticket, &state) }
    }

    /// Takes a number off the list of those that this process is known to be working with.
    func forget(_ ticket: Ticket) {
        inMaking.withLock { _ = $0.remove(ticket.id) }
    }

    /// The numbers with which this process makes layers at the moment; each has a mark.
    var inMakingHere: Set<ThinDeviceID> { inMaking.withLock { $0 } }

    // MARK: Numbers

    /// Takes the next number.
    ///
    /// - Parameter isTaken: Whether the pool has a device in the block that begins with a number.
    func take(
        _ holder: StoreLock.Holder, isTaken: (ThinDeviceID) throws(LayerStoreError) -> Bool
    ) throws(LayerStoreError) -> Ticket {
        let ticket = try marks.update(holder) { state throws(LayerStoreError) in
            if state.block.distance(to: state.next) == NumberBlock.size {
                let first =
                    if let following = state.following { following } else {
                        try Self.freeBlock(behind: state.block, isTaken)
                    }
                try goOn(to: first, &state)
            } else if !state.isBlockDurable {
                // The disk was full when the numbers began, or the marks could not be read.
                let first = try isTaken(state.block) ? Self.freeBlock(behind: state.block, isTaken) : state.block
                try goOn(to: first, &state)
            }
            var reservation: ThinDeviceID?
            if state.following == nil, state.block.distance(to: state.next) >= NumberBlock.size / 2 {
                let block = try Self.freeBlock(behind: state.block, isTaken)
                try registry.markReservation(block)
                (state.following, reservation) = (block, block)
            }
            let ticket = Ticket(id: state.next, reservation: reservation)
            state.next = state.next.next
            state.making.insert(ticket.id)
            return ticket
        }
        inMaking.withLock { _ = $0.insert(ticket.id) }
        return ticket
    }

    /// Goes on with the block that begins with `first`, which is made durable if no registration has done it.
    private func goOn(to first: ThinDeviceID, _ state: inout WorkMarks.State) throws(LayerStoreError) {
        if state.following == nil || !state.isFollowingDurable { try reserve(first) }
        (state.block, state.next, state.isBlockDurable) = (first, first, true)
        (state.following, state.isFollowingDurable) = (nil, false)
    }

    private func reserve(_ first: ThinDeviceID) throws(LayerStoreError) {
        try registry.markReservation(first)
        try registry.synchronize()
    }

    private static func freeBlock(
        behind block: ThinDeviceID, _ isTaken: (ThinDeviceID) throws(LayerStoreError) -> Bool
    ) throws(LayerStoreError) -> ThinDeviceID {
        var first = block
        for _ in 0...ThinDeviceID.maximum.value / NumberBlock.size {
            first = first.advanced(by: NumberBlock.size)
            if try !isTaken(first) { return first }
        }
        throw LayerStoreError(.failed, "the pool has no \(NumberBlock.size) free device numbers in a row left")
    }

    private static func hasDevice(
        inBlock first: ThinDeviceID, _ metadata: () throws -> ThinMetadataDevice
    ) throws(LayerStoreError) -> Bool {
        do {
            return try ThinPoolMetadata.consistently(reading: metadata()) { metadata in
                try metadata.hasDevice(from: first, count: NumberBlock.size)
            }
        } catch {
            throw LayerStoreError(
                .failed, "cannot read which numbers the pool's thin devices have: \(error)", underlying: error)
        }
    }

    private static func settle(_ ticket: Ticket, _ state: inout WorkMarks.State) { state.making.remove(ticket.id) }

    // MARK: Recovery

    /// Begins again with one new reservation.
    ///
    /// - Parameters:
    ///   - first: The first number of a block in which the pool has no device.
    ///   - isKnownFree: Whether the pool's numbers could be read. If not, the first layer looks.
    ///   - keepingOthers: Whether the older reservations are kept, because something of them may be left in the pool.
    ///   - removals: How many removals wait for their end.
    func reset(
        to first: ThinDeviceID, isKnownFree: Bool = true, keepingOthers: Bool, removals: Int, _ holder: StoreLock.Holder
    ) throws(LayerStoreError) {
        var isDurable = isKnownFree
        do {
            if isDurable { try registry.markReservation(first) }
        } catch  where error.code == .notEnoughSpace {
            // On a disk that is full no layer can be made, but there must be a way to remove some.
            isDurable = false
        }
        if !keepingOthers { try registry.dropReservations(except: isDurable ? [first] : []) }
        try registry.synchronize()
        try marks.reset(
            WorkMarks.State(block: first, isDurable: isDurable, removals: UInt32(clamping: removals)), holder)
    }
}
