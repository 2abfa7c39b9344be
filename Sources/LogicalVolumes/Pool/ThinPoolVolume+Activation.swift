internal import BlockDevices
public import DeviceMapper
internal import SystemCalls
internal import SystemPackage

extension ThinPoolVolume {
    /// Makes the pool's devices, with lvm2's names, uuids and tables, as far as they are not there.
    ///
    /// It is what “lvchange -ay” does, but for the run of thin_check. A pool that is active and shorter than its volume
    /// group says, because its extension was interrupted, gets its length.
    ///
    /// - Parameters:
    ///   - control: The device mapper.
    ///   - isReadOnly: Whether the pool gets the feature `read_only`, with which the kernel writes nothing to its devices. A
    ///     pool that is active stays as it is.
    /// - Returns: The state of the pool's device.
    /// - Throws: ``LogicalVolumeError``, among them ``LogicalVolumeError/Code/refusedGroup`` when another machine may use the
    ///   group; `DeviceMapperError` with the kernel's reason.
    @discardableResult
    public func activate(_ control: Control, isReadOnly: Bool = false) throws -> DeviceInformation {
        let lock = try LVMLock.ofGroup(group)
        return try withExtendedLifetime(lock) { try locateForUse().activate(control, isReadOnly: isReadOnly) }
    }

    /// Removes the pool's devices; everything stays on the disks.
    ///
    /// - Parameter control: The device mapper.
    /// - Throws: ``LogicalVolumeError/Code/inUse`` when the pool has active thin devices.
    public func deactivate(_ control: Control) throws {
        let lock = try LVMLock.ofGroup(group)
        try withExtendedLifetime(lock) { try locate().deactivate(control) }
    }

    /// Runs `body` while nobody else changes the table of the pool: neither lvm2 nor another program of this project.
    ///
    /// - Throws: The errors of `body`; ``LogicalVolumeError/Code/inUse`` when the volume group's lock cannot be taken.
    public func withPoolTable<Result>(_ body: () throws -> Result) throws -> Result {
        let lock = try LVMLock.ofGroup(group)
        return try withExtendedLifetime(lock, body)
    }

    /// The state of the pool's device, if it is active.
    public func deviceIfActive(_ control: Control) throws -> DeviceInformation? {
        try control.informationIfPresent(on: .uuid(try DeviceUUID(try locate().poolUUID)))
    }
}

extension LocatedThinPool {
    /// A device of the pool below its own.
    private struct Part {
        let volume: LogicalVolume
        let layer: String
    }

    private var parts: [Part] {
        [Part(volume: metadataVolume, layer: "tmeta"), Part(volume: dataVolume, layer: "tdata")]
    }

    private func uuid(_ part: Part) throws -> DeviceUUID {
        try DeviceUUID(metadata.group.deviceUUID(of: part.volume, layer: part.layer))
    }

    /// Makes or completes the devices; the group's lock is held.
    func activate(_ control: Control, isReadOnly: Bool = false) throws -> DeviceInformation {
        let present = try control.informationIfPresent(on: .uuid(try DeviceUUID(poolUUID)))
        if !isReadOnly { try requireNotReadOnly(control) }
        if present == nil, let thinVolume {
            throw LogicalVolumeError(
                .unsupported,
                "the pool has thin volumes of lvm2's (\(thinVolume.name)); activate it with “lvchange -ay \(metadata.group.name)”"
            )
        }
        if present == nil {
            try ActivationList(try LVMConfiguration())?.require(pool, of: metadata.group)
            try metadata.group.requireActivatable(pool, parts: parts.map(\.volume))
        }
        var made: [DeviceUUID] = []
        do {
            var numbers: [DeviceNumber] = []
            var hasGrown = false
            for part in parts {
                let (number, change) = try bringUp(
                    name: metadata.group.deviceName(of: part.volume), uuid: try uuid(part),
                    table: try table(of: part.volume, isReadOnly: isReadOnly), control)
                if change == .made { made.append(try uuid(part)) }
                if change == .grown { hasGrown = true }
                numbers.append(number)
            }
            let table = try poolTable(metadata: numbers[0], data: numbers[1], isReadOnly: isReadOnly)
            guard present != nil else {
                let uuid = try DeviceUUID(poolUUID)
                let (_, change) = try bringUp(name: poolDeviceName, uuid: uuid, table: table, control)
                if change == .made { made.append(uuid) }
                return try control.information(on: .uuid(uuid))
            }
            try growPool(to: table, isForced: hasGrown, control)
            return try control.information(on: .uuid(try DeviceUUID(poolUUID)))
        } catch {
            // Devices that were made here are removed again; a device that got a user meanwhile stays, because it is
            // open. The first failure is reported.
            for uuid in made.reversed() { try? remove(uuid, control) }
            throw error
        }
    }

    /// Refuses a pool that is active with the feature `read_only`, in which nothing can be changed.
    func requireNotReadOnly(_ control: Control) throws {
        let reference = DeviceReference.uuid(try DeviceUUID(poolUUID))
        guard try control.informationIfPresent(on: reference)?.hasActiveTable == true else { return }
        let table = try control.table(of: reference)
        guard table.entries.first?.target.as(ThinPoolTarget.self)?.features.contains(.readOnly) == true else { return }
        throw LogicalVolumeError(
            .inUse,
            "the pool \(metadata.group.name)/\(pool.name) is active for reading only, as a command with --read-only leaves it; "
                + "“dmlayer --read-only shutdown”, or “dmlayer pool deactivate”, ends that")
    }

    private enum Change { case none, made, grown }

    private func bringUp(
        name: String, uuid: DeviceUUID, table: MappingTable, _ control: Control
    ) throws -> (DeviceNumber, Change) {
        let reference = DeviceReference.uuid(uuid)
        guard let device = try control.informationIfPresent(on: reference) else {
            return (try make(try DeviceName(name), uuid: uuid, table: table, control), .made)
        }
        guard device.hasActiveTable else {
            // The process that made the device was interrupted.
            try control.loadTable(table, into: reference)
            try control.resumeDevice(reference)
            return (device.number, .grown)
        }
        // A suspended device was left by a process that died in the middle of a change.
        if device.isSuspended { try control.resumeDevice(reference) }
        let present = try control.table(of: reference)
        if present.linearRuns == table.linearRuns { return (device.number, .none) }
        guard table.linearRuns.begins(with: present.linearRuns) else {
            throw LogicalVolumeError(
                .foreignDevice,
                "the active device \(device.name) maps other extents than the volume group \(metadata.group.name) says; "
                    + "“lvchange --refresh \(metadata.group.name)/\(pool.name)” would correct it")
        }
        try control.replaceTable(of: reference, with: table, options: [.skipLockFS])
        return (device.number, .grown)
    }

    private func make(
        _ name: DeviceName, uuid: DeviceUUID, table: MappingTable, _ control: Control
    ) throws -> DeviceNumber {
        let made: DeviceInformation
        do {
            made = try control.activateDevice(name, uuid: uuid, table: table, udev: .flags(.hidden))
        } catch {
            guard error.code == .busy, error.command == .createDevice else { throw error }
            throw LogicalVolumeError(
                .foreignDevice,
                "a device named \(name) is there, and was not made from the volume group \(metadata.group.name) "
                    + "(\(uuid)): remove or rename it")
        }
        MapperNode.make(name, made.number)
        return made.number
    }

    /// Gives an active pool the length that its group says, and has it look at its metadata device again.
    ///
    /// How it treats blocks, discards and a lack of space stays as it is: the table may have been loaded with other
    /// features than the group says, and to change them is not what growing is for.
    private func growPool(to table: MappingTable, isForced: Bool, _ control: Control) throws {
        let reference = DeviceReference.uuid(try DeviceUUID(poolUUID))
        if try control.information(on: reference).isSuspended { try control.resumeDevice(reference) }
        let present = try control.table(of: reference)
        guard isForced || present.length < table.length else { return }
        guard present.length <= table.length else {
            throw LogicalVolumeError(
                .foreignDevice,
                "the active pool \(poolDeviceName) is longer than the volume group \(metadata.group.name) says")
        }
        // The pool may be out of space, and then only this suspend returns.
        try control.replaceTable(
            of: reference, with: table.withPoolFeatures(of: present), options: [.noFlush, .skipLockFS])
    }

    /// Removes the devices; the group's lock is held.
    func deactivate(_ control: Control) throws {
        do {
            for uuid in [try DeviceUUID(poolUUID)] + (try parts.reversed().map { try uuid($0) }) {
                try remove(uuid, control)
            }
        } catch let error as DeviceMapperError where error.code == .busy {
            throw LogicalVolumeError(
                .inUse,
                "the pool \(metadata.group.name)/\(pool.name) has active thin devices or another user; shut down what uses "
                    + "it first (“dmlayer dm ls --tree” shows what stands on it): \(error)")
        }
    }
}

extension LocatedThinPool {
    /// Removes a device, if it is there, and its node.
    private func remove(_ uuid: DeviceUUID, _ control: Control) throws(DeviceMapperError) {
        guard let device = try control.informationIfPresent(on: .uuid(uuid)) else { return }
        try control.removeDevice(.uuid(uuid))
        MapperNode.remove(device.name, device.number)
    }
}

/// A run of sectors that one device takes in one piece.
private struct LinearRun: Hashable {
    var start: UInt64
    var length: UInt64
    let target: Target
}

extension MappingTable {
    /// The table of a pool with the features of another.
    fileprivate func withPoolFeatures(of other: MappingTable) -> MappingTable {
        guard let present = other.entries.first?.target.as(ThinPoolTarget.self), entries.count == 1,
            var target = entries[0].target.as(ThinPoolTarget.self)
        else { return self }
        target.features = present.features
        return MappingTable(target, length: length)
    }

    /// The segments of the table, those that follow each other on the same device put together.
    fileprivate var linearRuns: [LinearRun] {
        var runs: [LinearRun] = []
        for entry in entries {
            if let area = entry.target.as(LinearTarget.self)?.area, let last = runs.last,
                let previous = last.target.as(LinearTarget.self)?.area, area.device == previous.device,
                last.start + last.length == entry.start.count, previous.start.count + last.length == area.start.count
            {
                runs[runs.count - 1].length += entry.length.count
            } else {
                runs.append(LinearRun(start: entry.start.count, length: entry.length.count, target: entry.target))
            }
        }
        return runs
    }
}

extension [LinearRun] {
    /// Whether these are the others and more behind them.
    fileprivate func begins(with others: [LinearRun]) -> Bool {
        guard let last = others.last, count >= others.count, starts(with: others.dropLast()) else { return false }
        let same = self[others.count - 1]
        return same.start == last.start && same.target == last.target && same.length >= last.length
    }
}

/// The node of a device in `/dev/mapper`, where no udevd makes it.
private enum MapperNode {
    private static var isUdevRunning: Bool { (try? Stat(FilePath("/run/udev/control"))) != nil }

    private static func path(_ name: DeviceName) -> FilePath { FilePath("/dev/mapper").appending(name.description) }

    static func make(_ name: DeviceName, _ number: DeviceNumber) {
        // A convenience for people and for lvm2's programs: nothing here opens it.
        if !isUdevRunning { try? DeviceNode.make(path(name), for: number) }
    }

    /// Removes the node of a device that has gone; what else stands at the path stays.
    static func remove(_ name: DeviceName, _ number: DeviceNumber) {
        guard !isUdevRunning, let status = try? Stat(path(name)), status.type == .blockSpecial,
            DeviceNumber(status.specialDeviceID) == number
        else { return }
        _ = unsafe unlink(path(name).string)
    }
}
