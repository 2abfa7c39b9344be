internal import BlockDevices
internal import DeviceMapper
internal import SystemCalls
internal import ThinProvisioning

/// Removes layers: first the layer is gone for its caller, and later its data is freed.
struct RemoveLayer {
    let core: StoreCore

    /// Makes a layer unknown, durably, and has its data freed as the store's policy says.
    func run(_ id: LayerID) throws -> LayerRelease {
        try core.requireWritable()
        try core.requireLayer(id)
        // Answered before the pool is touched: nothing needs to be active to find that there is nothing.
        guard let known = try core.registry.record(of: id) else { return .absent }
        try core.service.requireNone(for: known)
        let (release, number) = try StoreSession.run(in: core, locking: [id]) { session, layers in
            try begin(layers[0], session)
        }
        guard let number else { return release }
        switch core.removals.policy {
        case .inBackground: core.removals.schedule()
        case .beforeReturning:
            if release == .done { try end(number, waitsForOthers: true) }
            if try core.marks.read(core.openLocks()).removals > 0 { try endAll() }
        }
        return release
    }

    /// Makes a layer unknown, and takes it down.
    ///
    /// - Returns: The state of the layer, and its thin device if there was one.
    private func begin(_ layer: LockedLayer, _ session: StoreSession) throws -> (LayerRelease, ThinDeviceID?) {
        guard let record = try core.registry.record(of: layer.id) else { return (.absent, nil) }
        // A service may have begun to serve it since it was asked for.
        try core.service.requireNone(for: record)
        let release = try core.mounts.takeDown(
            layer, record.deviceID, isDeferred: core.configuration.defersDeletion)
        if release != .done {
            // A new layer of this id needs the name, and there can be none before the file is gone. A device that has just
            // gone has no name to give up.
            _ = try? core.kernel.control().renameDevice(
                core.identity.name(of: layer.id), to: core.identity.removedName(of: record.deviceID))
        }
        try core.marks.beginRemoval(session.holder)
        try core.registry.beginRemoval(of: layer.id, record)
        core.directory.removeMountPoint(of: layer.id)
        return (release, record.deviceID)
    }

    // MARK: Behind the caller

    /// Ends the removals that wait, also those that other processes have left.
    ///
    /// Nothing is activated for it: without the pool they wait for the next activation.
    ///
    /// - Returns: How many have to wait further, for a user of the layer, or because another process is ending them.
    /// - Throws: The first failure, after all removals were tried.
    @discardableResult
    func endAll() throws -> Int {
        var waiting = 0
        var failure: (any Error)?
        for record in try core.registry.unfinishedRemovals() {
            do {
                if try !end(record.deviceID) { waiting += 1 }
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return waiting
    }

    /// Frees what only a removed layer has.
    ///
    /// One thread of one process does that at a time, under the lock of this removal. Without the lock, a second one could
    /// remove the device before the first opens it. A live layer could then get its number and receive the discards.
    ///
    /// - Parameters:
    ///   - number: The removed layer's thin device.
    ///   - waitsForOthers: Whether to wait for another process that is ending this removal, rather than leave it to that.
    /// - Returns: Whether that is done; a layer in use must wait.
    @discardableResult
    private func end(_ number: ThinDeviceID, waitsForOthers: Bool = false) throws -> Bool {
        let holder = try core.openLocks()
        guard try waitsForOthers ? isMine(number, holder) : holder.tryLock(.removal(number)) else { return false }
        if core.configuration.discardsRemovedLayers {
            // Where that fails, the blocks become free in the pool all the same; “trim” gives them back to the file below.
            _ = try? discard(number, holder)
        }
        // A discard can take longer than the patience, and must not have been for nothing.
        let isEnded = try withPoolAsItIs(holder, until: .after(core.patience)) { pool in
            guard let record = try core.registry.unfinishedRemoval(of: number) else { return true }
            guard try isUnused(number), try delete(number, in: pool) else { return false }
            if try core.registry.endRemoval(record) { try core.marks.endRemoval(holder) }
            return true
        }
        return isEnded ?? false
    }

    /// Waits for another process that ends the same removal.
    ///
    /// The layer is gone for its caller already. So a process that takes longer than the patience is no failure.
    private func isMine(_ number: ThinDeviceID, _ holder: StoreLock.Holder) throws(LayerStoreError) -> Bool {
        do {
            try holder.lock(.removal(number), exclusively: true)
            return true
        } catch {
            guard error.code == .busy else { throw error }
            return false
        }
    }

    /// Runs `body` with the pool if it is active, without a lock on a layer; nothing is activated or recovered.
    ///
    /// - Returns: `nil` when the pool is not active.
    private func withPoolAsItIs<Result>(
        _ holder: StoreLock.Holder, until limit: Deadline? = nil, _ body: (ThinPool) throws -> Result
    ) throws -> Result? {
        try holder.lock(.store, exclusively: false, until: limit)
        // Where this fails the lock goes with its holder.
        defer { try? holder.unlock(.store) }
        return try core.pool.active().map(body)
    }

    /// Whether no device stands for a removed layer any more: one does while the layer is in use.
    private func isUnused(_ number: ThinDeviceID) throws -> Bool {
        guard let device = try core.devices.present(number) else { return true }
        // A process that died has left it, if nothing has it open.
        return try device.openCount == 0 && core.devices.removeWhenClosed(number)
    }

    /// Deletes a thin device that nothing can use any more.
    private func delete(_ number: ThinDeviceID, in pool: ThinPool) throws(DeviceMapperError) -> Bool {
        // A device that was closed a moment ago can still be on its way out.
        try waiting(until: .after(.milliseconds(500))) { () throws(DeviceMapperError) -> Bool? in
            do throws(DeviceMapperError) {
                return try pool.deleteUnlessActive(number) ? true : nil
            } catch {
                // A pool that takes no changes, because its metadata is full for example, may take them again.
                guard error.code == .readOnly else { throw error }
                return false
            }
        } ?? false
    }

    // MARK: Discards

    /// Gives the data of a removed layer back to what is below the pool.
    ///
    /// A discard of a thin device goes on to the data device for the blocks that nothing else shares; only those are
    /// discarded. No lock is held meanwhile but the one on the removal.
    private func discard(_ number: ThinDeviceID, _ holder: StoreLock.Holder) throws {
        var ranges: [Range<UInt64>] = []
        let opened = try withPoolAsItIs(holder) { pool -> BlockDevice? in
            // Another process may have ended the removal since it was found, and another layer may have the number.
            guard let record = try core.registry.unfinishedRemoval(of: number), try isUnused(number) else { return nil }
            ranges = try exclusiveRanges(of: record, in: pool)
            return ranges.isEmpty ? nil : try open(record, in: pool)
        }
        guard let device = opened.flatMap(\.self) else { return }
        defer {
            device.close()
            // A device that is still there goes with its last user, and the next removal looks at it.
            _ = try? core.devices.removeWhenClosed(number)
        }
        // From here on it goes away together with this process, however that ends. If it has gone already, another process took
        // it away before it was open, and what is open can be the device of a layer.
        guard try !core.devices.removeWhenClosed(number) else { return }
        for range in ranges {
            // A piece at a time, so that the process can end between them.
            for offset in stride(from: range.lowerBound, to: range.upperBound, by: 1 << 30) {
                try device.discard(offset: offset, length: min(1 << 30, range.upperBound - offset))
            }
        }
    }

    private func open(_ record: LayerRecord, in pool: ThinPool) throws -> BlockDevice {
        let number = record.deviceID
        let information = try pool.activate(
            number, name: core.identity.removedName(of: number), uuid: core.identity.uuid(of: number),
            length: Sectors(wholeSectorsIn: record.size))
        do {
            return try BlockDevice(try DeviceNode.path(of: information.number), .readWrite)
        } catch {
            // The first failure is the one to report.
            _ = try? core.devices.removeWhenClosed(number)
            throw error
        }
    }

    /// The bytes of a removed layer that nothing else shares.
    ///
    /// The pool's metadata is read while the pool goes on, so that this can be out of date. That costs space at the most, for
    /// only the removed layer's own device is discarded.
    private func exclusiveRanges(of record: LayerRecord, in pool: ThinPool) throws -> [Range<UInt64>] {
        let blockSize = pool.blockSize.bytes
        let end = Sectors(wholeSectorsIn: record.size).bytes
        return try ThinPoolMetadata.consistently(reading: core.pool.metadataDevice(of: pool)) { metadata in
            var ranges: [Range<UInt64>] = []
            try metadata.exclusiveRanges(of: record.deviceID) { mapping in
                let (start, overflow) = mapping.thinBlocks.lowerBound.multipliedReportingOverflow(by: blockSize)
                guard !overflow, start < end else { return }
                let (behind, isTooFar) = mapping.thinBlocks.upperBound.multipliedReportingOverflow(by: blockSize)
                ranges.append(start..<(isTooFar ? end : min(behind, end)))
            }
            return ranges
        }
    }
}
