public import DeviceMapper
internal import SystemCalls
internal import SystemPackage

/// A thin pool that is active in the kernel.
///
/// Every message changes the pool's metadata and commits it: three flushes of the devices below. Nothing else here
/// writes anything.
public struct ThinPool: Sendable {
    /// The device mapper that the pool is a device of.
    public let control: Control
    /// The name of the pool's device.
    public let name: DeviceName
    /// The number of the pool's device, which the tables of its thin devices name.
    ///
    /// As a `DeviceReference` for commands and events, the pool is `.number(pool.number)`.
    public let number: DeviceNumber
    /// The length of a block in sectors.
    public let blockSize: Sectors
    /// Whether the device was suspended when the kernel told its number; the state now may be another.
    package let wasSuspended: Bool

    /// Creates the device of a pool.
    ///
    /// The pool formats its metadata device when the first 4096 bytes of that are zero; otherwise it opens the pool
    /// whose metadata is there.
    ///
    /// - Parameters:
    ///   - control: The device mapper.
    ///   - name: The name of the new device.
    ///   - uuid: Its DM uuid.
    ///   - target: The devices and the geometry.
    ///   - length: The length of the data device in sectors.
    /// - Throws: `DeviceMapperError`, with the kernel's reason when it does not accept the geometry or the metadata.
    public static func activate(
        _ control: Control, name: DeviceName, uuid: DeviceUUID? = nil, target: ThinPoolTarget, length: Sectors
    ) throws(DeviceMapperError) -> ThinPool {
        // The table itself is never read-only: the kernel refuses that for a pool, whatever its features are.
        let information = try control.activateDevice(
            name, uuid: uuid, table: MappingTable(target, length: length))
        return ThinPool(control, name: name, number: information.number, blockSize: target.blockSize)
    }

    /// Finds a pool that is active.
    ///
    /// - Throws: `DeviceMapperError.Code.noSuchDevice`; `.invalidTable` when the device is no thin pool.
    public init(_ control: Control, open device: DeviceReference) throws(DeviceMapperError) {
        self = try Self.find(control, device).pool
    }

    /// Finds a pool that is active, with the state of its device and its table.
    ///
    /// - Throws: `DeviceMapperError`, as ``init(_:open:)``.
    package static func find(
        _ control: Control, _ device: DeviceReference
    ) throws(DeviceMapperError) -> (pool: ThinPool, information: DeviceInformation, target: ThinPoolTarget) {
        let information = try control.information(on: device)
        let table = try control.table(of: .number(information.number))
        guard let target = table.entries.first?.target.as(ThinPoolTarget.self) else {
            throw DeviceMapperError(
                .invalidTable, device: information.name.description, detail: "the device is not a thin pool")
        }
        let pool = ThinPool(control, information, blockSize: target.blockSize)
        return (pool, information, target)
    }

    /// Names a pool that is known to be active, without asking the kernel.
    public init(_ control: Control, name: DeviceName, number: DeviceNumber, blockSize: Sectors) {
        (self.control, self.name, self.number, self.blockSize) = (control, name, number, blockSize)
        wasSuspended = false
    }

    /// Names a pool by what the kernel has said of its device.
    package init(_ control: Control, _ information: DeviceInformation, blockSize: Sectors) {
        (self.control, name, number, self.blockSize) = (control, information.name, information.number, blockSize)
        wasSuspended = information.isSuspended
    }

    /// The pool's table.
    public func target() throws(DeviceMapperError) -> (target: ThinPoolTarget, length: Sectors) {
        let table = try control.table(of: .number(number))
        guard let target = table.entries.first?.target.as(ThinPoolTarget.self) else {
            throw DeviceMapperError(.invalidTable, device: name.description, detail: "the device is not a thin pool")
        }
        return (target, table.length)
    }

    /// The pool's status.
    ///
    /// - Parameter flushing: Lets the pool commit its metadata first; see `Control.status(of:inactive:flushing:)`.
    public func status(flushing: Bool = false) throws(DeviceMapperError) -> ThinPoolStatus {
        guard let line = try control.status(of: .number(number), flushing: flushing).first else {
            throw DeviceMapperError(.malformedAnswer, device: name.description, detail: "the pool has no status")
        }
        return try ThinPoolStatus(parsing: line.text, blockSize: blockSize)
    }

    // MARK: Messages, one commit each

    /// Creates an empty thin device.
    ///
    /// - Throws: `DeviceMapperError.Code.alreadyExists` when the number is in use, `.readOnly` when the pool takes no
    ///   changes.
    public func createDevice(_ id: ThinDeviceID) throws(DeviceMapperError) {
        try send("create_thin \(id)")
    }

    /// Creates a thin device that begins as a copy of another.
    ///
    /// - Parameters:
    ///   - id: The number of the new device.
    ///   - origin: The device to copy.
    ///   - active: The mapped device of the origin if it is active. It is suspended meanwhile, because the kernel does
    ///     not protect a request in flight from the sharing of its block; its file system is frozen, so that the copy
    ///     is clean. It is resumed in every case. The suspension waits for what the file system still has to write; if the
    ///     pool runs out of space during that, the call lasts until the pool is larger or lets these writes fail.
    /// - Throws: `DeviceMapperError.Code.alreadyExists` when the number is in use, `.noSuchThing` when the origin does
    ///   not exist, `.readOnly` when the pool takes no changes, `.outOfSpace` when the origin is active and its writes
    ///   wait for space, or would: then nothing has been suspended.
    public func createSnapshot(
        _ id: ThinDeviceID, of origin: ThinDeviceID, active: DeviceReference? = nil
    ) throws(DeviceMapperError) {
        let message = "create_snap \(id) \(origin)"
        guard let active else { return try send(message) }
        try requireSpaceToSuspend()
        do {
            try control.whileSuspended(active) { try send(message) }
        } catch {
            throw (error as? DeviceMapperError) ?? DeviceMapperError(.failed, detail: "\(error)")
        }
    }

    /// Refuses to suspend a device whose writes wait for space.
    ///
    /// The kernel waits for these writes first, and no signal ends that while it freezes a file system.
    private func requireSpaceToSuspend() throws(DeviceMapperError) {
        guard case .available(let state) = try status(), !state.errorIfNoSpace,
            state.mode == .outOfDataSpace || state.data.free == 0
        else { return }
        throw DeviceMapperError(
            .outOfSpace, attempt: "make a snapshot of an active device in the pool", device: name.description,
            detail: "the pool is full, and writes to it wait for space: make the pool larger or delete thin devices, "
                + "or deactivate the origin first")
    }

    /// Deletes a thin device; blocks that no other device shares become free.
    ///
    /// - Throws: `DeviceMapperError.Code.noSuchThing` when the number is not in use, `.busy` when the device is active.
    public func deleteDevice(_ id: ThinDeviceID) throws(DeviceMapperError) {
        try send("delete \(id)")
    }

    /// Changes the pool's transaction id.
    ///
    /// - Throws: `DeviceMapperError.Code.invalidArgument` when the present one is not `old`.
    public func setTransactionID(from old: UInt64, to new: UInt64) throws(DeviceMapperError) {
        try send("set_transaction_id \(old) \(new)")
    }

    /// Holds a snapshot of the pool's metadata, which can be read from the metadata device while the pool goes on.
    ///
    /// A pool has one at the most.
    ///
    /// - Throws: `DeviceMapperError.Code.busy` when one is held already.
    public func reserveMetadataSnapshot() throws(DeviceMapperError) {
        try send("reserve_metadata_snap")
    }

    /// Gives the snapshot of the pool's metadata up.
    public func releaseMetadataSnapshot() throws(DeviceMapperError) {
        try send("release_metadata_snap")
    }

    /// Runs `body` while the pool holds a snapshot of its metadata.
    ///
    /// This thread takes no signals meanwhile, so that only SIGKILL leaves the snapshot held.
    ///
    /// - Parameter body: It gets the block of the snapshot's superblock.
    /// - Throws: `DeviceMapperError.Code.busy` when a snapshot is held already; what `body` throws.
    public func whileMetadataIsHeld<Result>(_ body: (UInt64) throws -> Result) throws -> Result {
        try control.withoutSignals {
            try reserveMetadataSnapshot()
            let result: Result
            do {
                guard case .available(let state) = try status(), let root = state.heldMetadataRoot else {
                    throw ThinMetadataError(.inconsistent, "the pool does not say where its metadata's snapshot is")
                }
                result = try body(root)
            } catch {
                // The first failure is the one to report.
                try? releaseMetadataSnapshot()
                throw error
            }
            try releaseMetadataSnapshot()
            return result
        }
    }

    private func send(_ message: String) throws(DeviceMapperError) {
        try control.sendMessage(message, to: .number(number))
    }

    // MARK: Size and features

    /// Makes the pool use more of its data device, and all of its metadata device, while its thin devices are in use.
    ///
    /// Requests in flight wait for a moment; a pool that has run out of space completes the requests that waited for
    /// more. The kernel accepts the new length of a pool whose metadata must be checked first, and does not grow the
    /// pool; the status tells. The low-water mark keeps its share of the pool.
    ///
    /// - Parameter length: The new length in sectors, not below the present one.
    /// - Throws: The kernel's reason; the pool runs on with its old length then.
    public func grow(to length: Sectors) throws(DeviceMapperError) {
        try changeTable { target, present in
            target.scaleLowWaterMark(from: present, to: length)
            present = length
        }
    }

    /// Lets writes fail at once when the pool is full, or wait for more space.
    ///
    /// - Throws: The kernel's reason; the pool runs on as before then.
    public func setErrorIfNoSpace(_ fails: Bool) throws(DeviceMapperError) {
        try setFeature(.errorIfNoSpace, fails)
    }

    /// Has the pool fill a new block with zeros before a thin device gets it, or leave in it what is there.
    ///
    /// It counts for the blocks that thin devices get from now on.
    ///
    /// - Throws: The kernel's reason; the pool runs on as before then.
    public func setZeroesNewBlocks(_ zeroes: Bool) throws(DeviceMapperError) {
        try setFeature(.skipBlockZeroing, !zeroes)
    }

    private func setFeature(_ feature: ThinPoolTarget.Features, _ isSet: Bool) throws(DeviceMapperError) {
        try changeTable { target, _ in
            if isSet { target.features.insert(feature) } else { target.features.remove(feature) }
        }
    }

    /// Has the pool report an event when fewer than `mark` pool blocks of its data are free.
    ///
    /// - Throws: The kernel's reason; the pool runs on as before then.
    public func setLowWaterMark(_ mark: UInt64) throws(DeviceMapperError) {
        try changeTable { target, _ in target.lowWaterMark = mark }
    }

    /// Replaces the pool's table by one with another target or length.
    private func changeTable(_ change: (inout ThinPoolTarget, inout Sectors) -> Void) throws(DeviceMapperError) {
        var table = try control.table(of: .number(number))
        guard table.entries.count == 1, var target = table.entries[0].target.as(ThinPoolTarget.self) else {
            throw DeviceMapperError(.invalidTable, device: name.description, detail: "a pool has one target")
        }
        change(&target, &table.entries[0].length)
        table.entries[0].target = Target(target)
        // Requests that wait for space would never let a suspend end that waits for them.
        try control.replaceTable(of: .number(number), with: table, options: [.noFlush, .skipLockFS])
    }

    // MARK: Thin devices

    /// Makes a thin device usable as a block device.
    ///
    /// - Parameters:
    ///   - id: The thin device.
    ///   - name: The name of the mapped device.
    ///   - uuid: Its DM uuid.
    ///   - length: Its length in sectors. The pool keeps no length of a thin device; this is the only place that has it.
    ///   - isReadOnly: Whether writes are refused.
    ///   - externalOrigin: The device that is read where the thin device has no block of its own.
    /// - Returns: The state of the mapped device, with its number and its node.
    @discardableResult
    public func activate(
        _ id: ThinDeviceID, name: DeviceName, uuid: DeviceUUID? = nil, length: Sectors, isReadOnly: Bool = false,
        externalOrigin: DeviceNumber? = nil
    ) throws(DeviceMapperError) -> DeviceInformation {
        let target = ThinTarget(
            pool: .number(number), identifier: UInt64(id.value), externalOrigin: externalOrigin.map(TargetDevice.number)
        )
        let table = MappingTable(target, length: length, isReadOnly: isReadOnly)
        return try whileNotSuspended { () throws(DeviceMapperError) in
            try control.activateDevice(name, uuid: uuid, table: table)
        }
    }

    /// Changes the length of an active thin device; requests in flight wait for a moment.
    ///
    /// The caller sees to it that nobody suspends the pool meanwhile. The kernel counts for each of its thin devices how often
    /// the pool has stopped it, and loses count when a table of the device goes away in between: then the device never
    /// answers again (seen on Linux 6.1.176).
    public func resize(_ device: DeviceReference, to length: Sectors) throws(DeviceMapperError) {
        var table = try control.table(of: device)
        guard table.entries.count == 1 else {
            throw DeviceMapperError(
                .invalidTable, device: device.description, detail: "a thin device of this pool has one target")
        }
        table.entries[0].length = length
        var options: SuspendOptions = [.skipLockFS]
        // Requests in flight wait for space there, and perhaps for this call to end.
        if case .available(let state) = try status(), state.mode == .outOfDataSpace { options.insert(.noFlush) }
        try whileNotSuspended { () throws(DeviceMapperError) in
            try control.replaceTable(of: device, with: table, options: options)
        }
    }

    /// How long a refused table is loaded again, and how many refusals are forgiven while the pool is not suspended.
    private static let (patience, mostOtherRefusals) = (Duration.seconds(10), 10)

    /// Loads the table of a thin device again when the pool was suspended, in which case the kernel refuses the table.
    ///
    /// Another program that enlarges the pool suspends the pool for a moment: lvm2, or a monitor. The suspension may have
    /// ended between the refusal and the question, so a few refusals are forgiven in any case.
    private func whileNotSuspended<Result>(
        _ load: () throws(DeviceMapperError) -> Result
    ) throws(DeviceMapperError) -> Result {
        var otherRefusals = 0
        func attempt() throws(DeviceMapperError) -> Result? {
            do {
                return try load()
            } catch {
                guard error.command == .loadTable, error.errno == .invalidArgument else { throw error }
                // A pool whose state cannot be read counts as not suspended.
                if (try? control.information(on: .number(number)).isSuspended) != true { otherRefusals += 1 }
                guard otherRefusals < Self.mostOtherRefusals else { throw error }
                return nil
            }
        }
        if let loaded = try waiting(until: .after(Self.patience), attempt) { return loaded }
        return try load()
    }

    /// The status of an active thin device.
    public func status(of device: DeviceReference) throws(DeviceMapperError) -> ThinDeviceStatus {
        guard let line = try control.status(of: device).first else {
            throw DeviceMapperError(
                .malformedAnswer, device: device.description, detail: "the device has no status")
        }
        return try ThinDeviceStatus(parsing: line.text)
    }
}

extension ThinPoolTarget {
    /// Keeps the mark's share of a pool that gets another length.
    fileprivate mutating func scaleLowWaterMark(from length: Sectors, to newLength: Sectors) {
        let product = lowWaterMark.multipliedFullWidth(by: newLength.count)
        lowWaterMark = product.high < length.count ? length.count.dividingFullWidth(product).quotient : .max
    }
}
