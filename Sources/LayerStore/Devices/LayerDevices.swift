internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import SystemCalls
internal import ThinProvisioning

/// The mapped devices of layers: found, held open, activated and removed.
struct LayerDevices: Sendable {
    private let kernel: KernelAccess
    let identity: DeviceIdentity
    private let access: StoreAccess

    init(_ kernel: KernelAccess, _ identity: DeviceIdentity, _ access: StoreAccess) {
        self.kernel = kernel
        self.identity = identity
        self.access = access
    }

    /// How long a removal waits for somebody who has the device open for a moment, as udev has after an unmount.
    private static let momentaryUse = Duration.milliseconds(500)

    // MARK: Finding

    /// The device of a thin device as the kernel has it; `nil` when it is not active.
    func present(_ number: ThinDeviceID) throws -> DeviceInformation? {
        try kernel.control().informationIfPresent(on: .uuid(identity.uuid(of: number)))
    }

    /// The device of a layer if it is active.
    ///
    /// An operation that activates or suspends the device of a layer has the layer's lock. So a device that is found
    /// suspended or without a table under that lock was left by a process that died, or by a command whose answer was lost.
    /// A device without a table is removed, because nothing can be on it. A suspended device is resumed.
    ///
    /// - Parameter layer: The layer, to which the caller has the lock.
    func active(_ number: ThinDeviceID, of layer: LockedLayer) throws -> DeviceInformation? {
        guard let device = try present(number) else { return nil }
        guard device.hasActiveTable else {
            if let error = try failure(removing: number) { throw error }
            return nil
        }
        guard device.isSuspended else { return device }
        try kernel.control().resumeDevice(device.reference)
        return try present(number)
    }

    /// Opens a device that was found, so that it stays while it is used.
    ///
    /// A layer's lock does not keep a device that goes with its last user, and the next device of any store gets its number.
    ///
    /// - Returns: `nil` when the device has gone.
    func hold(_ device: DeviceInformation, of number: ThinDeviceID) throws -> BlockDevice? {
        let opened = Result { try BlockDevice(try DeviceNode.path(of: device.number)) }
        guard try present(number)?.number == device.number else {
            // Another device has the number now, or none.
            (try? opened.get())?.close()
            return nil
        }
        return try opened.get()
    }

    /// The devices of the store that are active, apart from its pool: by the prefix of their names and by their uuids.
    func all() throws -> [(device: DeviceInformation, number: ThinDeviceID)] {
        let control = try kernel.control()
        return try control.devices(withPrefix: identity.namePrefix).compactMap { entry in
            // A device that was listed may have gone.
            guard let information = try control.informationIfPresent(on: .number(entry.number)),
                let number = identity.thinDevice(information.uuid)
            else { return nil }
            return (information, number)
        }
    }

    // MARK: Activating

    /// Activates the device of a layer that is not active.
    func activate(
        _ record: LayerRecord, of layer: LockedLayer, in pool: ThinPool, isReadOnly: Bool = false
    ) throws -> DeviceInformation {
        try pool.activate(
            record.deviceID, name: identity.name(of: layer.id), uuid: identity.uuid(of: record.deviceID),
            length: Sectors(wholeSectorsIn: record.size), isReadOnly: isReadOnly)
    }

    /// The device of a layer: the one that is active, where it serves, or a new one.
    ///
    /// - Parameter active: The result of ``active(_:of:)``.
    /// - Throws: ``LayerStoreError/Code/busy`` when somebody reads the layer through a device that cannot be written.
    func serving(
        _ record: LayerRecord, of layer: LockedLayer, _ active: DeviceInformation?, in pool: ThinPool,
        isReadOnly: Bool = false
    ) throws -> DeviceInformation {
        if let active {
            if try !active.isReadOnly && cancelRemoval(of: active) { return active }
            if access == .readOnly { return active }
            // A device through which the layer is read does for reading, and stays when that has ended.
            if try isReadOnly && cancelRemoval(of: active) { return active }
            try requireUnread(active, layer.id)
            if active.isReadOnly { _ = try failure(removing: record.deviceID) }
        }
        return try activate(record, of: layer, in: pool, isReadOnly: isReadOnly || access == .readOnly)
    }

    /// Refuses to change a layer that a process reads through a device that cannot be written.
    func requireUnread(_ active: DeviceInformation?, _ id: LayerID) throws(LayerStoreError) {
        if let active, active.isReadOnly, active.openCount > 0 { throw busy(id, active.number) }
    }

    // MARK: Removing

    /// Removes a device at once.
    ///
    /// A user who has it open for a moment gets half a second.
    ///
    /// - Returns: The kernel's refusal, when the device is still open after that.
    func failure(removing number: ThinDeviceID) throws -> DeviceMapperError? {
        try failure(removing: identity.uuid(of: number))
    }

    /// Removes a device by its uuid, as ``failure(removing:)-(ThinDeviceID)`` does.
    func failure(removing uuid: DeviceUUID) throws -> DeviceMapperError? {
        let control = try kernel.control()
        var refusal: DeviceMapperError?
        let isGone: Bool? = try waiting(until: .after(Self.momentaryUse)) { () throws(DeviceMapperError) -> Bool? in
            do throws(DeviceMapperError) {
                try control.removeDevice(.uuid(uuid))
                return true
            } catch {
                if error.code == .noSuchDevice { return true }
                guard error.code == .busy else { throw error }
                refusal = error
                return nil
            }
        }
        return isGone == nil ? refusal : nil
    }

    /// Has the kernel remove a device when it is closed for the last time.
    ///
    /// - Returns: Whether it has gone already.
    func removeWhenClosed(_ number: ThinDeviceID) throws -> Bool {
        do {
            return try kernel.control().removeDevice(.uuid(identity.uuid(of: number)), deferred: true) == .removed
        } catch let error as DeviceMapperError where error.code == .noSuchDevice {
            return true
        }
    }

    /// Keeps a device whose removal was deferred.
    ///
    /// - Returns: Whether it is still there.
    func cancelRemoval(of device: DeviceInformation) throws -> Bool {
        guard device.isRemovalDeferred else { return true }
        let control = try kernel.control()
        // Where the kernel answers that the device is busy, nobody has it open any more: it is on its way out.
        let isKept = try waiting(until: .after(.seconds(1))) { () throws(DeviceMapperError) -> Bool? in
            do throws(DeviceMapperError) {
                try control.sendMessage("@cancel_deferred_remove", to: device.reference)
                return true
            } catch {
                if error.code == .noSuchDevice { return false }
                guard error.code == .busy else { throw error }
                return nil
            }
        }
        return try isKept ?? (control.informationIfPresent(on: device.reference) != nil)
    }

    // MARK: Users

    /// The error for a layer that is in use.
    func busy(_ id: LayerID, _ device: DeviceNumber, _ error: (any Error)? = nil) -> LayerStoreError {
        busy(id, users(of: device), error)
    }

    /// The error for a layer that certain users have in use.
    func busy(_ id: LayerID, _ users: [LayerUser], _ error: (any Error)? = nil) -> LayerStoreError {
        LayerStoreError(
            .busy, "layer \(id) is in use by \(users.sentence); “dmlayer why-busy \(id)” shows who uses it",
            underlying: error)
    }

    /// Everything that uses a device, as far as this process may see it.
    func users(of device: DeviceNumber) -> [LayerUser] { DeviceUser.users(of: device).map(LayerUser.init) }
}
