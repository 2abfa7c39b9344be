internal import BlockDevices
internal import DeviceMapper
internal import Glibc
internal import SystemPackage
internal import Synchronization
internal import ThinProvisioning

extension LayerStore {
    /// Removes a layer; layers made from it stay what they are.
    ///
    /// The layer is gone, durably, when the call returns; that costs one synchronisation. The blocks that no other layer
    /// shares become free behind that, which costs one commit of the pool: ``RemovalPolicy`` says when. Removing what does
    /// not exist succeeds.
    ///
    /// - Returns: Whether the blocks have to wait for somebody who uses the layer, and whether there was such a layer.
    /// - Throws: ``LayerStoreError/Code/busy`` with who uses the layer, where deletions are not deferred.
    @discardableResult
    public func remove(_ id: LayerID) throws(LayerStoreError) -> LayerRelease {
        try attempting("remove layer \(id)") {
            try requireWritable()
            try requireLayer(id)
            // Answered before the pool is touched: nothing needs to be active to find that there is nothing.
            guard let known = try metadata.record(of: id) else { return .absent }
            try requireNoService(for: known)
            let (release, record) = try withPool(layers: [id]) { _, holder in
                try beginRemoval(of: id, holder)
            }
            guard let record else { return release }
            switch removals {
            case .inBackground: scheduleRemovals()
            case .beforeReturning:
                if release == .done { try endRemoval(record.deviceID, waitingForOthers: true) }
                if try pendingRemovals() > 0 { try endRemovals() }
            }
            return release
        }
    }

    /// Makes a layer unknown, and takes it down.
    private func beginRemoval(of id: LayerID, _ holder: StoreLock.Holder) throws -> (LayerRelease, LayerRecord?) {
        guard let record = try metadata.record(of: id) else { return (.absent, nil) }
        // A service may have begun to serve it since it was asked for.
        try requireNoService(for: record)
        let release = try deactivate(id, record.deviceID, isDeferred: configuration.defersDeletion)
        if release != .done {
            // A new layer of this id needs the name; there can be none before the file is gone.
            _ = try? control().renameDevice(
                try directory.deviceName(of: id), to: try directory.removedDeviceName(record.deviceID))
        }
        try allocator.beginRemoval(holder)
        try metadata.beginRemoval(of: id, record)
        _ = unsafe rmdir(directory.mountPoint(of: id).string)
        mountCounts.withLock { $0[id] = nil }
        return (release, record)
    }

    // MARK: Behind the caller

    /// Lets the removals that wait be ended: soon, or now if this program does not keep running.
    func scheduleRemovals() {
        switch removals {
        case .beforeReturning:
            // What fails now is tried again later, and no reason for the caller to fail.
            _ = try? endRemovals()
        case .inBackground:
            removalWorker.schedule { [weak self] () -> Int? in
                guard let self else { return nil }
                return (try? self.endRemovals()) ?? 1
            }
        }
    }

    /// How many removals wait, as far as the lock file knows.
    private func pendingRemovals() throws -> UInt32 {
        try allocator.pendingRemovals(try lock.open())
    }

    /// Ends the removals that wait, also those that other processes have left.
    ///
    /// Nothing is activated for it: without the pool they wait for whoever activates it.
    ///
    /// - Returns: How many have to wait further, for somebody who uses the layer, or are being ended by somebody else.
    /// - Throws: What went wrong with the first of those that failed, after all were tried.
    @discardableResult
    func endRemovals() throws -> Int {
        var waiting = 0
        var failure: (any Error)?
        for record in try metadata.unfinishedRemovals() {
            do {
                if try !endRemoval(record.deviceID) { waiting += 1 }
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return waiting
    }

    /// Frees what only a removed layer has.
    ///
    /// Only one process and thread does that at a time. Two would take the removed layer's device away from each other, and
    /// its number is the next device's: that of a layer, which the discards would hit; likewise the thin device's number.
    ///
    /// - Parameters:
    ///   - number: The removed layer's thin device.
    ///   - waitingForOthers: Whether to wait for somebody who is at it, rather than leave it to them.
    /// - Returns: Whether that is done; a layer in use must wait.
    @discardableResult
    private func endRemoval(_ number: ThinDeviceID, waitingForOthers: Bool = false) throws -> Bool {
        let holder = try lock.open()
        if waitingForOthers {
            try holder.lock(.removal(number), exclusively: true)
        } else if try !holder.tryLock(.removal(number)) {
            return false
        }
        if configuration.discardsRemovedLayers {
            // Where that fails, the blocks become free in the pool all the same; “trim” gives them back to the file below.
            _ = try? discard(number, holder)
        }
        let isEnded = try withPoolAsItIs(holder) { pool in
            guard let record = try metadata.unfinishedRemoval(of: number) else { return true }
            guard try isUnused(number, pool.control), try delete(number, in: pool) else { return false }
            if try metadata.endRemoval(record) { try allocator.endRemoval(holder) }
            return true
        }
        return isEnded ?? false
    }

    /// Whether no device stands for a removed layer any more: one does while somebody uses the layer.
    private func isUnused(_ number: ThinDeviceID, _ control: Control) throws -> Bool {
        let uuid = try uuid(of: number)
        guard let device = try control.informationIfPresent(on: .uuid(uuid)) else { return true }
        // A process that died has left it, if nobody has it open.
        return try device.openCount == 0 && removeWhenClosed(uuid, control)
    }

    /// Deletes a thin device that nobody can use any more.
    private func delete(_ number: ThinDeviceID, in pool: ThinPool) throws(DeviceMapperError) -> Bool {
        // A device that was closed a moment ago can still be on its way out.
        for _ in 0..<50 {
            do {
                if try deleteUnlessBusy(number, in: pool) { return true }
            } catch  where error.code == .readOnly {
                // A pool that takes no changes, because its metadata is full for example, may take them again.
                return false
            }
            usleep(10_000)
        }
        return false
    }

    /// Gives the data of a removed layer back to what is below the pool.
    ///
    /// A discard of a thin device goes on to the data device for the blocks that nothing else shares; only those are
    /// discarded. No lock is held meanwhile but the one on the removal.
    private func discard(_ number: ThinDeviceID, _ holder: StoreLock.Holder) throws {
        let uuid = try uuid(of: number)
        var ranges: [Range<UInt64>] = []
        let opened = try withPoolAsItIs(holder) { pool -> BlockDevice? in
            // Somebody else may have ended the removal since it was found, and the number be another layer's.
            guard let record = try metadata.unfinishedRemoval(of: number), try isUnused(number, pool.control) else {
                return nil
            }
            ranges = try exclusiveRanges(of: record, in: pool)
            if ranges.isEmpty { return nil }
            let information = try pool.activate(
                number, name: try directory.removedDeviceName(number), uuid: uuid,
                length: Sectors(wholeSectorsIn: record.size))
            do {
                return try BlockDevice(try DeviceNode.path(of: information.number), .readWrite)
            } catch {
                _ = try? removeWhenClosed(uuid, pool.control)
                throw error
            }
        }
        guard let device = opened.flatMap(\.self) else { return }
        let control = try control()
        defer {
            device.close()
            _ = try? removeWhenClosed(uuid, control)
        }
        // From here on it goes away together with this process, however that ends. If it has gone already, somebody took it
        // away before it was open, and what is open can be the device of a layer.
        guard try !removeWhenClosed(uuid, control) else { return }
        for range in ranges {
            // A piece at a time, so that the process can end between them.
            for offset in stride(from: range.lowerBound, to: range.upperBound, by: 1 << 30) {
                try device.discard(offset: offset, length: min(1 << 30, range.upperBound - offset))
            }
        }
    }

    /// The bytes of a removed layer that nothing else shares.
    ///
    /// The pool's metadata is read while the pool goes on, so that this can be out of date. That costs space at the most, for
    /// only the removed layer's own device is discarded.
    private func exclusiveRanges(of record: LayerRecord, in pool: ThinPool) throws -> [Range<UInt64>] {
        let blockSize = pool.blockSize.bytes
        let end = Sectors(wholeSectorsIn: record.size).bytes
        return try ThinPoolMetadata.consistently(reading: metadataDevice(of: pool)) { metadata in
            var ranges: [Range<UInt64>] = []
            try metadata.exclusiveRanges(of: record.deviceID) { mapping in
                let start = mapping.thinBlocks.lowerBound * blockSize
                if start < end { ranges.append(start..<min(mapping.thinBlocks.upperBound * blockSize, end)) }
            }
            return ranges
        }
    }

    /// The pool's metadata on its device.
    func metadataDevice(of pool: ThinPool) throws -> ThinMetadataDevice {
        switch try pool.target().target.metadataDevice {
        case .number(let number): try ThinMetadataDevice(DeviceNode.path(of: number))
        case .path(let path): try ThinMetadataDevice(FilePath(path))
        }
    }
}
