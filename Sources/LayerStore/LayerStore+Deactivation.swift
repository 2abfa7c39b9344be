internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import Glibc
internal import SystemPackage
internal import ThinProvisioning

/// Taking devices down.
extension LayerStore {
    /// Unmounts a layer if it is mounted, and removes its device if it is active.
    ///
    /// - Parameters:
    ///   - id: The layer.
    ///   - number: Its thin device.
    ///   - isDeferred: Whether a layer in use is detached and its device goes away when it is closed for the last time.
    /// - Throws: ``LayerStoreError/Code/busy`` with who uses it, unless that is deferred.
    @discardableResult
    func deactivate(_ id: LayerID, _ number: ThinDeviceID, isDeferred: Bool = false) throws -> LayerRelease {
        let control = try control()
        let uuid = try uuid(of: number)
        guard let device = try self.device(of: number, control) else { return .done }
        let mountPoint = directory.mountPoint(of: id)
        var users: [LayerUser]?
        if try isMounted(device.number, at: mountPoint) {
            do {
                if configuration.filesystem == .ext4 {
                    try Ext4Journal.keepAfterFailedWrites(to: device.number, at: mountPoint)
                }
                try Mount.unmount(mountPoint)
            } catch {
                guard error.errno == .resourceBusy else { throw error }
                let processes = DeviceUser.users(of: device.number).filter(\.isProcess).map(LayerUser.init)
                guard isDeferred else { throw busy(id, processes, error) }
                try Mount.unmount(mountPoint, isLazy: true)
                users = processes
            }
        }
        // Removing the directory also takes away copies of the mount in other mount namespaces.
        _ = unsafe rmdir(mountPoint.string)
        if users == nil {
            guard let error = try failure(removing: uuid, control) else { return .done }
            let others = DeviceUser.users(of: device.number).map(LayerUser.init)
            guard isDeferred else { throw busy(id, others, error) }
            users = others
        }
        return try removeWhenClosed(uuid, control) ? .done : .deferred(until: users ?? [])
    }

    /// Removes a device at once; who had it open for a moment, as after an unmount elsewhere, gets half a second.
    ///
    /// - Returns: The refusal, when it is still open after that.
    func failure(removing uuid: DeviceUUID, _ control: Control) throws(DeviceMapperError) -> DeviceMapperError? {
        var deadline: ContinuousClock.Instant?
        while true {
            do {
                try control.removeDevice(.uuid(uuid))
                return nil
            } catch {
                if error.code == .noSuchDevice { return nil }
                guard error.code == .busy else { throw error }
                let now = ContinuousClock.now
                if let deadline, now >= deadline { return error }
                deadline = deadline ?? now.advanced(by: .milliseconds(500))
            }
            usleep(10_000)
        }
    }

    /// Lets a device go away when it is closed for the last time.
    ///
    /// - Returns: Whether it has gone already.
    func removeWhenClosed(_ uuid: DeviceUUID?, _ control: Control) throws(DeviceMapperError) -> Bool {
        guard let uuid else { return false }
        do {
            return try control.removeDevice(.uuid(uuid), deferred: true) == .removed
        } catch  where error.code == .noSuchDevice {
            return true
        }
    }

    /// Keeps a device whose removal was deferred.
    ///
    /// - Returns: Whether it is still there.
    func cancelRemoval(of device: DeviceInformation, _ control: Control) throws(DeviceMapperError) -> Bool {
        guard device.isRemovalDeferred else { return true }
        // Nobody has it open any more where the kernel answers that it is busy: it is on its way out.
        for _ in 0..<100 {
            do {
                try control.sendMessage("@cancel_deferred_remove", to: device.reference)
                return true
            } catch {
                if error.code == .noSuchDevice { return false }
                guard error.code == .busy else { throw error }
            }
            usleep(10_000)
        }
        return try control.informationIfPresent(on: device.reference) != nil
    }

    func busy(_ id: LayerID, _ users: [LayerUser], _ error: (any Error)? = nil) -> LayerStoreError {
        LayerStoreError(
            .busy, "layer \(id) is in use by \(users.sentence); “dmlayer why-busy \(id)” shows who uses it",
            underlying: error)
    }

    func isMounted(_ device: DeviceNumber, at mountPoint: FilePath) throws -> Bool {
        try Mount.isMounted(device, at: mountPoint)
    }

    /// Everything that uses a layer's device: processes with files open, mounts in any namespace, devices on top.
    ///
    /// What this process may not see, as from inside a container, is left out.
    ///
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``.
    public func users(of id: LayerID) throws(LayerStoreError) -> [LayerUser] {
        try attempting("look for the users of layer \(id)") {
            let record = try existing(id)
            guard let device = try control().informationIfPresent(on: .uuid(try uuid(of: record.deviceID))) else {
                return []
            }
            return DeviceUser.users(of: device.number).map(LayerUser.init)
        }
    }
}
