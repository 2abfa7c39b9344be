internal import BlockDevices
internal import DeviceMapper
internal import LogicalVolumes
internal import SystemPackage
internal import ThinProvisioning

/// Makes what a new store stands on, and takes away what an `init` that failed has made.
struct InitMaking {
    let core: StoreCore

    /// The files and devices that `init` is going to make, and would have to remove if it failed.
    func plan() throws -> StoreMaking {
        var making = StoreMaking()
        let pool = core.configuration.pool
        // A file that cannot be examined is not there: making it says why.
        for (size, file) in [
            (pool.dataFileSize, core.directory.dataFile), (pool.metadataFileSize, core.directory.metadataFile),
        ] where size != nil && (try? Stat(file, followTargetSymlink: false)) == nil {
            making.files.append(file.lastComponent?.string ?? "")
        }
        making.devices = [pool.dataDevice, pool.metadataDevice].compactMap(\.self)
        if pool.directLVM != nil { making.isVolumeGroupNew = try !ThinPoolVolume.docker.groupExists() }
        making.wasPoolActive = try pool.poolDevice != nil && core.pool.active() != nil
        return making
    }

    /// Makes the pool's files.
    func makeFiles() throws {
        if let size = core.configuration.pool.dataFileSize { try PoolFile.make(core.directory.dataFile, size: size) }
        if let size = core.configuration.pool.metadataFileSize {
            try PoolFile.make(core.directory.metadataFile, size: size)
            try PoolFile.reserveMetadata(core.directory.metadataFile, used: 0)
        }
    }

    // MARK: Undoing

    /// Removes everything that an `init` has made; the caller has the store alone.
    ///
    /// `store.json` goes last, so that this can be repeated. It stays when something else could not be removed.
    ///
    /// - Parameter failures: The reasons why something could not be removed.
    func undo(_ making: StoreMaking, _ alone: StoreAlone, _ failures: inout [String]) {
        func step(_ body: () throws -> Void) {
            do { try body() } catch { failures.append("\(error)") }
        }
        // A file that cannot be read says nothing, and goes with the rest.
        let record = try? core.registry.record(of: .base)
        step { try takeLayersDown(alone) }
        if core.pool.named == nil {
            // In files that were there before, the base device goes; where the pool does not answer, it goes with the files.
            if let record, let pool = try? core.pool.active() { _ = try? pool.deleteUnlessActive(record.deviceID) }
            step { if let error = try core.pool.remove(core.devices) { throw error } }
        } else {
            step { try leavePool(record, making) }
        }
        if making.isVolumeGroupNew, let options = core.configuration.pool.directLVM {
            step { try DirectLVMSetup(core.directory).remove(options, core.kernel.control()) }
        }
        guard failures.isEmpty else { return }
        for name in making.files { step { try DurableDirectory(core.directory.loopFiles).remove(name) } }
        for path in making.devices { step { try clear(path) } }
        step { try forgetBaseDevice() }
        guard failures.isEmpty else { return }
        step {
            let root = try DurableDirectory(core.directory.root)
            try root.removeTemporaryFiles()
            try root.remove(StoreConfiguration.fileName)
            try root.synchronize()
        }
    }

    private func takeLayersDown(_ alone: StoreAlone) throws {
        for (device, number) in try core.devices.all() {
            try core.mounts.takeDown(alone.layer(core.identity.layer(device.name) ?? .base), number)
        }
    }

    /// Deletes the base device in a pool that stays, and leaves the pool as it was.
    private func leavePool(_ record: LayerRecord?, _ making: StoreMaking) throws {
        guard let named = core.pool.named else { return }
        let control = try core.kernel.control()
        if try core.pool.active() == nil {
            guard record != nil else { return }
            do {
                guard try named.failureOfActivation(control) == nil else { return }
            } catch {
                // A pool that is not there, or not to be had, has nothing of this store.
                return
            }
        }
        guard let pool = try core.pool.active() else { return }
        let numbers = try record.map { [$0.deviceID] } ?? numbersInMaking()
        for number in numbers {
            guard try pool.deleteUnlessActive(number) else {
                throw LayerStoreError(.busy, "the thin device \(number) in the pool \(pool.name) is in use")
            }
        }
        if !making.wasPoolActive { try core.pool.deactivateVolume() }
    }

    /// The numbers of base devices that were being made when their process died.
    ///
    /// After a new start of the machine nothing tells them. In a pool that another program made, that program may have taken any
    /// reserved number, so an empty thin device is left there.
    private func numbersInMaking() throws(LayerStoreError) -> [ThinDeviceID] {
        let reserved = try core.registry.numbers().reserved
        guard core.configuration.pool.isMadeElsewhere else { return reserved.sorted() }
        return try reserved.intersection(core.readMarks()?.making ?? []).sorted()
    }

    /// Makes a device of the pool empty again, as it was.
    private func clear(_ path: String) throws {
        let device = try BlockDevice(FilePath(path), .readWrite, isExclusive: true)
        defer { device.close() }
        try DeviceContent.wipe(device)
        try device.flush()
    }

    /// Takes the files of the base device away, and the reservations of numbers: there is no layer.
    private func forgetBaseDevice() throws {
        try core.registry.dropReservations()
        try core.registry.forgetBaseDevice()
    }
}
