internal import BlockDevices
internal import SystemPackage
internal import ThinProvisioning

/// Hands out numbers for thin devices so that one which a crash left without a layer is found again.
///
/// Numbers come from blocks that were reserved durably before any of them was used. A reservation is an empty file in
/// the metadata directory whose name says which numbers it covers: its creation becomes durable together with the
/// layer that is registered next, so it costs nothing. After a crash everything in a reserved block that no layer has
/// is deleted from the pool.
///
/// The lock file holds where the allocation stands. That is volatile on purpose: processes share it while the pool is
/// active, and when the pool is activated it is worked out again from the reservations.
struct DeviceIDAllocator {
    /// How many numbers a reservation covers: also the number of deletions that a start after a crash may need.
    static let blockSize: UInt32 = 32
    private static let reservationPrefix = ".reserved-device-ids."

    let directory: DurableDirectory

    /// Where the allocation stands.
    private struct Cursor {
        /// The first number of the oldest reservation that is kept.
        var oldest: ThinDeviceID
        /// The first number of the block that is being handed out.
        var block: ThinDeviceID
        /// The number to try next.
        var next: ThinDeviceID
        /// How many numbers from `next` on are reserved durably.
        var reserved: UInt32
        /// How many layers are being made with a number of an older block, and how many with one of this block.
        ///
        /// They stay above zero when a process died while it made one.
        var inFlightBefore: UInt32
        var inFlight: UInt32
        /// How many removals wait for their end, or are at it.
        var removals: UInt32
    }

    /// A number that a layer is being made with.
    struct Ticket {
        let id: ThinDeviceID
        fileprivate let block: ThinDeviceID
        /// The block that becomes durable with the registration of this layer.
        fileprivate let newReservation: ThinDeviceID?
    }

    // MARK: Making a layer

    /// Takes the next number.
    func take(_ holder: StoreLock.Holder) throws(LayerStoreError) -> Ticket {
        try update(holder) { cursor throws(LayerStoreError) in
            if cursor.reserved == 0 {
                try mark(cursor.next)
                try directory.synchronize()
                cursor.reserved = Self.blockSize
            }
            if cursor.next == Self.behind(cursor.block) {
                cursor.block = cursor.next
                cursor.inFlightBefore += cursor.inFlight
                cursor.inFlight = 0
            }
            let isHalfUsed = cursor.reserved == Self.blockSize / 2
            let ticket = Ticket(
                id: cursor.next, block: cursor.block, newReservation: isHalfUsed ? Self.behind(cursor.block) : nil)
            if let block = ticket.newReservation { try mark(block) }
            cursor.next = cursor.next.next
            cursor.reserved -= 1
            cursor.inFlight += 1
            return ticket
        }
    }

    /// Says that the layer of `ticket` is registered, which has made a new reservation durable as well.
    ///
    /// - Parameter isLast: Whether the holder gives up all of its locks after that, so that this one need not be.
    func finish(_ ticket: Ticket, _ holder: StoreLock.Holder, isLast: Bool = false) throws(LayerStoreError) {
        try update(holder, isLast: isLast) { cursor throws(LayerStoreError) in
            Self.settle(ticket, &cursor)
            // Unless the numbers ran out first and the block was reserved by the one who needed it.
            guard let block = ticket.newReservation, block == Self.number(cursor.reserved, after: cursor.next) else {
                return
            }
            cursor.reserved += Self.blockSize
            // With nothing under way in the older blocks, every number there belongs to a layer or to nobody.
            guard cursor.inFlightBefore == 0 else { return }
            while cursor.oldest != cursor.block {
                try directory.remove(Self.reservationPrefix + cursor.oldest.description)
                cursor.oldest = Self.behind(cursor.oldest)
            }
        }
    }

    /// Says that the thin device of `ticket` does not exist, or not any more.
    func abandon(_ ticket: Ticket, _ holder: StoreLock.Holder) throws(LayerStoreError) {
        try update(holder) { cursor throws(LayerStoreError) in Self.settle(ticket, &cursor) }
    }

    private static func settle(_ ticket: Ticket, _ cursor: inout Cursor) {
        if ticket.block == cursor.block {
            cursor.inFlight -= min(cursor.inFlight, 1)
        } else {
            cursor.inFlightBefore -= min(cursor.inFlightBefore, 1)
        }
    }

    // MARK: Removing one

    /// Says that a removal begins which must be ended by ``endRemoval(_:)``.
    func beginRemoval(_ holder: StoreLock.Holder) throws(LayerStoreError) {
        try update(holder) { cursor throws(LayerStoreError) in cursor.removals += 1 }
    }

    /// Says that a removal has ended.
    func endRemoval(_ holder: StoreLock.Holder) throws(LayerStoreError) {
        try update(holder) { cursor throws(LayerStoreError) in cursor.removals -= min(cursor.removals, 1) }
    }

    /// How many removals have not ended.
    func pendingRemovals(_ holder: StoreLock.Holder) throws(LayerStoreError) -> UInt32 {
        try read(holder).removals
    }

    /// Whether something is under way, or was when a process died.
    ///
    /// - Parameter own: How much is under way that is known to be alive.
    func hasUnfinished(_ holder: StoreLock.Holder, besides own: Int = 0) throws(LayerStoreError) -> Bool {
        let cursor = try read(holder)
        return Int(cursor.inFlight) + Int(cursor.inFlightBefore) > own
    }

    // MARK: Recovery

    /// Says that something begins which the recovery must put right if this process does not.
    func beginUnsafe(_ holder: StoreLock.Holder) throws(LayerStoreError) {
        try update(holder) { cursor throws(LayerStoreError) in cursor.inFlightBefore += 1 }
    }

    /// Says that what ``beginUnsafe(_:)`` has begun is over.
    func endUnsafe(_ holder: StoreLock.Holder) throws(LayerStoreError) {
        try update(holder) { cursor throws(LayerStoreError) in cursor.inFlightBefore -= min(cursor.inFlightBefore, 1) }
    }

    /// All numbers that are reserved.
    func reservedIDs(_ names: [String]) -> Set<ThinDeviceID> {
        var reserved: Set<ThinDeviceID> = []
        for name in names {
            guard var id = Self.firstID(inReservation: name) else { continue }
            for _ in 0..<Self.blockSize {
                reserved.insert(id)
                id = id.next
            }
        }
        return reserved
    }

    /// Makes one new reservation behind `last`.
    ///
    /// - Parameters:
    ///   - last: The highest number that is in use.
    ///   - keepingOthers: Whether the older ones are kept, because something of them may be left in the pool.
    ///   - removals: How many removals wait for their end.
    ///   - names: The files of the metadata directory.
    func reset(
        after last: ThinDeviceID, keepingOthers: Bool, removals: Int, _ names: [String], _ holder: StoreLock.Holder
    ) throws(LayerStoreError) {
        let first = last.next
        var reserved = Self.blockSize
        do {
            try mark(first)
        } catch  where error.code == .notEnoughSpace {
            // On a disk that is full no layer can be made, but there must be a way to remove some.
            reserved = 0
        }
        for name in keepingOthers ? [] : names {
            guard let old = Self.firstID(inReservation: name), old != first else { continue }
            try directory.remove(name)
        }
        try directory.synchronize()
        let cursor = Cursor(
            oldest: first, block: first, next: first, reserved: reserved, inFlightBefore: 0, inFlight: 0,
            removals: UInt32(clamping: removals))
        try write(cursor, holder)
    }

    /// Has the next one who can change the pool work it all out again, as if a process had died.
    func invalidate(_ holder: StoreLock.Holder) throws(LayerStoreError) {
        // In place: a file that was cut to nothing needs a block again, and the disk may be full.
        try write(String(repeating: " ", count: Self.width), holder)
    }

    /// Takes all reservations back; this is durable with the next synchronisation of the directory.
    func removeReservations() throws(LayerStoreError) {
        for name in try directory.names() where Self.firstID(inReservation: name) != nil { try directory.remove(name) }
    }

    private static func firstID(inReservation name: String) -> ThinDeviceID? {
        guard name.hasPrefix(reservationPrefix), let number = UInt32(name.dropFirst(reservationPrefix.count)) else {
            return nil
        }
        return ThinDeviceID(number)
    }

    private func mark(_ first: ThinDeviceID) throws(LayerStoreError) {
        try directory.mark(Self.reservationPrefix + first.description)
    }

    /// The number behind the block that begins with `first`.
    private static func behind(_ first: ThinDeviceID) -> ThinDeviceID { number(blockSize, after: first) }

    private static func number(_ distance: UInt32, after first: ThinDeviceID) -> ThinDeviceID {
        (0..<distance).reduce(first) { id, _ in id.next }
    }

    // MARK: The cursor

    private func update<Result>(
        _ holder: StoreLock.Holder, isLast: Bool = false, _ change: (inout Cursor) throws(LayerStoreError) -> Result
    ) throws(LayerStoreError) -> Result {
        try holder.lock(.deviceIDs, exclusively: true)
        defer { if !isLast { try? holder.unlock(.deviceIDs) } }
        var cursor = try read(holder)
        let result = try change(&cursor)
        try write(cursor, holder)
        return result
    }

    private static let width = 96

    /// A part of the number that the kernel chose when it started: what the file says is true for one start only.
    private static let boot: UInt32 = {
        let identifier = (try? PseudoFile.readLine("/proc/sys/kernel/random/boot_id")) ?? ""
        return UInt32(identifier.prefix(8), radix: 16) ?? 0
    }()

    private func read(_ holder: StoreLock.Holder) throws(LayerStoreError) -> Cursor {
        var bytes = [UInt8](repeating: 0, count: Self.width)
        do {
            _ = try unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe try holder.descriptor.read(fromAbsoluteOffset: 0, into: buffer)
            }
        } catch {
            throw LayerStoreError(.failed, "cannot read the lock file: \(error)", underlying: error)
        }
        let numbers = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
            .compactMap { UInt32($0) }
        guard numbers.count == 8, numbers[7] == Self.boot, let oldest = ThinDeviceID(numbers[0]),
            let block = ThinDeviceID(numbers[1]), let next = ThinDeviceID(numbers[2]),
            numbers[3] <= 4 * Self.blockSize
        else {
            // Cut short, overwritten, or from before the machine was last started: as if a process had died, so that the recovery works it out again.
            let first = ThinDeviceID.maximum.next
            return Cursor(
                oldest: first, block: first, next: first, reserved: 0, inFlightBefore: 0, inFlight: 1, removals: 0)
        }
        return Cursor(
            oldest: oldest, block: block, next: next, reserved: numbers[3], inFlightBefore: numbers[4],
            inFlight: numbers[5], removals: numbers[6])
    }

    private func write(_ cursor: Cursor, _ holder: StoreLock.Holder) throws(LayerStoreError) {
        var text = [cursor.oldest.value, cursor.block.value, cursor.next.value, cursor.reserved]
            .map(String.init).joined(separator: " ")
        text += " \(cursor.inFlightBefore) \(cursor.inFlight) \(cursor.removals) \(Self.boot)"
        // Always the same length, so that nothing of an older text is left behind a shorter one.
        text += String(repeating: " ", count: max(0, Self.width - 1 - text.utf8.count)) + "\n"
        try write(text, holder)
    }

    private func write(_ text: String, _ holder: StoreLock.Holder) throws(LayerStoreError) {
        do {
            _ = try holder.descriptor.writeAll(toAbsoluteOffset: 0, text.utf8)
        } catch {
            let isFull = (error as? Errno) == .noSpace
            let advice = isFull ? "; free space on the file system of the root and try again" : ""
            throw LayerStoreError(
                isFull ? .notEnoughSpace : .failed, "cannot write the lock file: \(error)\(advice)", underlying: error)
        }
    }
}
