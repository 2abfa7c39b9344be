public import DeviceMapper

extension ThinPoolVolume {
    /// Has the pool fill a new block with zeros before a thin device gets it, or leave in it what is there.
    ///
    /// The volume group's text comes first, so that lvm2 activates the pool with the same table. An active pool is changed
    /// while it is in use; where that is interrupted, calling this again completes it.
    ///
    /// - Parameters:
    ///   - zeroes: Which of the two.
    ///   - control: The device mapper.
    /// - Throws: ``LogicalVolumeError``; `DeviceMapperError` when the kernel does not take the table.
    public func setZeroesNewBlocks(_ zeroes: Bool, _ control: Control) throws {
        let lock = try LVMLock.ofGroup(group)
        try withExtendedLifetime(lock) {
            var located = try locateForUse()
            if located.segment.features.contains(.skipBlockZeroing) == zeroes {
                try located.metadata.reopenForWriting()
                let changed = try located.metadata.group.setting(zeroesNewBlocks: zeroes, of: located.pool)
                try located.metadata.commit(
                    changed, description: "Write from dmlayer: \(zeroes ? "zero" : "do not zero") new blocks of \(self)"
                )
            }
            try located.setZeroesNewBlocks(zeroes, control)
        }
    }
}

extension LocatedThinPool {
    /// Changes the table of the pool if it is active; the group's lock is held.
    fileprivate func setZeroesNewBlocks(_ zeroes: Bool, _ control: Control) throws {
        let reference = DeviceReference.uuid(try DeviceUUID(poolUUID))
        guard try control.informationIfPresent(on: reference)?.hasActiveTable == true else { return }
        var table = try control.table(of: reference)
        guard table.entries.count == 1, var target = table.entries[0].target.as(ThinPoolTarget.self),
            target.features.contains(.skipBlockZeroing) == zeroes
        else { return }
        if zeroes { target.features.remove(.skipBlockZeroing) } else { target.features.insert(.skipBlockZeroing) }
        table.entries[0].target = Target(target)
        // A pool that is out of space would never let a suspend end that waits for its requests.
        try control.replaceTable(of: reference, with: table, options: [.noFlush, .skipLockFS])
    }
}
