public import DeviceMapper

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
    public let number: DeviceNumber
    /// The length of a block in sectors.
    public let blockSize: Sectors

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
        _ control: Control, name: DeviceName, uuid: DeviceUUID?, target: ThinPoolTarget, length: Sectors
    ) throws(DeviceMapperError) -> ThinPool {
        let table = MappingTable(
            .thinPool(target), length: length, isReadOnly: target.features.contains(.readOnly))
        let information = try control.activateDevice(name, uuid: uuid, table: table)
        return ThinPool(control, name: name, number: information.number, blockSize: target.blockSize)
    }

    /// Finds a pool that is active.
    ///
    /// - Throws: `DeviceMapperError.Code.noSuchDevice`; `.invalidTable` when the device is no thin pool.
    public init(_ control: Control, open device: DeviceReference) throws(DeviceMapperError) {
        let information = try control.information(on: device)
        let table = try control.table(of: .number(information.number))
        guard case .thinPool(let target)? = table.entries.first?.target else {
            throw DeviceMapperError(
                .invalidTable, device: information.name.description, detail: "the device is not a thin pool")
        }
        self.init(
            control, name: information.name, number: information.number, blockSize: target.blockSize)
    }

    /// Names a pool that is known to be active, without asking the kernel.
    public init(_ control: Control, name: DeviceName, number: DeviceNumber, blockSize: Sectors) {
        self.control = control
        self.name = name
        self.number = number
        self.blockSize = blockSize
    }

    /// The pool's table.
    public func target() throws(DeviceMapperError) -> (target: ThinPoolTarget, length: Sectors) {
        let table = try control.table(of: .number(number))
        guard case .thinPool(let target)? = table.entries.first?.target else {
            throw DeviceMapperError(.invalidTable, device: name.description, detail: "the device is not a thin pool")
        }
        return (target, table.length)
    }

    /// The pool's status.
    ///
    /// - Parameter flushing: Lets the pool commit its metadata first; see `Control.status(of:flushing:)`.
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
    ///     is clean. It is resumed in every case.
    /// - Throws: `DeviceMapperError.Code.alreadyExists` when the number is in use, `.noSuchThing` when the origin does
    ///   not exist, `.readOnly` when the pool takes no changes.
    public func createSnapshot(
        _ id: ThinDeviceID, of origin: ThinDeviceID, active: DeviceReference? = nil
    ) throws(DeviceMapperError) {
        let message = "create_snap \(id) \(origin)"
        guard let active else { return try send(message) }
        do {
            try control.suspendDevice(active)
            try send(message)
            try control.resumeDevice(active)
        } catch {
            // Also after a suspend that failed: the kernel may have got half way. Resuming a running device is harmless.
            _ = try? control.resumeDevice(active)
            throw error
        }
    }

    /// Deletes a thin device; blocks that no other device shares become free.
    ///
    /// - Throws: `DeviceMapperError.Code.noSuchThing` when the number is not in use, `.busy` when the device is active.
    public func deleteDevice(_ id: ThinDeviceID) throws(DeviceMapperError) {
        try send("delete \(id)")
    }

    /// Changes the pool's transaction id.
    ///
    /// - Throws: `DeviceMapperError.Code.failed` with `EINVAL` when the present one is not `old`.
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

    private func send(_ message: String) throws(DeviceMapperError) {
        try control.sendMessage(message, to: .number(number))
    }

    // MARK: Size

    /// Makes the pool use more of its data device, while its thin devices are in use.
    ///
    /// - Parameter length: The new length in sectors, not below the present one.
    /// - Throws: The kernel's reason; the pool runs on with its old length then.
    public func growData(to length: Sectors) throws(DeviceMapperError) {
        let table = try control.table(of: .number(number))
        var grown = table
        guard grown.entries.count == 1 else {
            throw DeviceMapperError(.invalidTable, device: name.description, detail: "a pool has one target")
        }
        grown.entries[0].length = length
        try control.replaceTable(of: .number(number), with: grown, options: [.noFlush, .skipFreeze])
    }

    /// Makes the pool use all of a metadata device that has grown.
    public func growMetadata() throws(DeviceMapperError) {
        let table = try control.table(of: .number(number))
        try control.replaceTable(of: .number(number), with: table, options: [.noFlush, .skipFreeze])
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
    ///   - externalOrigin: What is read where the thin device has no block of its own.
    /// - Returns: The state of the mapped device, with its number.
    public func activate(
        _ id: ThinDeviceID, name: DeviceName, uuid: DeviceUUID?, length: Sectors, isReadOnly: Bool = false,
        externalOrigin: DeviceNumber? = nil
    ) throws(DeviceMapperError) -> DeviceInformation {
        let target = ThinTarget(
            pool: .number(number), identifier: UInt64(id.value), externalOrigin: externalOrigin.map(TargetDevice.number)
        )
        return try control.activateDevice(
            name, uuid: uuid, table: MappingTable(.thin(target), length: length, isReadOnly: isReadOnly))
    }

    /// Gives an active thin device another length.
    public func resize(_ device: DeviceReference, to length: Sectors) throws(DeviceMapperError) {
        var table = try control.table(of: device)
        guard table.entries.count == 1 else {
            throw DeviceMapperError(
                .invalidTable, device: device.description, detail: "a thin device of this pool has one target")
        }
        table.entries[0].length = length
        try control.replaceTable(of: device, with: table, options: [])
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
