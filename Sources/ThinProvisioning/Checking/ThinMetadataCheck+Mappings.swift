extension ThinMetadataCheck {
    /// The results of one thread that reads leaves.
    private struct LeafCounts: Sendable {
        var blocks: [UInt64] = []
        var latest: UInt32 = 0
    }

    /// Checks the mappings of all devices, and every reference count.
    mutating func checkMappings() {
        var dataMap: SpaceMapContent?
        if !isSnapshot {
            let map = SpaceMapContent(.data, superblock.dataCounts, of: blocks, uses: &uses)
            add(map.faults, .spaceMap, "the counts of the data blocks")
            dataMap = map
        }
        let counted = dataMap.map { UInt64($0.entries.count) * BitmapLayout.entries }
        let most = UInt64(blocks.bound) * BitmapLayout.entries
        let limit = min(superblock.dataUsage?.total ?? most, counted ?? most)
        let data = DataUses(below: limit)
        let forest = MappingForest(roots.map(\.root) + heldRoots, of: blocks, uses: uses)
        let (leaves, states) = forest.readLeaves(LeafCounts.init) { state, _, node, bytes in
            for index in 0..<node.count {
                let mapping = PackedMapping(node.value(index, in: bytes))
                state.blocks.append(mapping.dataBlock)
                state.latest = max(state.latest, mapping.time)
            }
            data.addIfMany(&state.blocks)
        }
        for state in states { data.add(state.blocks) }
        uses = forest.uses
        report.nodeCount = forest.internals.count + forest.leaves.count
        let whole = checkDevices(forest, leaves)
        if let latest = states.map(\.latest).max(), latest > superblock.time & 0xff_ffff {
            report.add(
                .clock, .note, "mappings have the time \(latest), which is later than the pool's, \(superblock.time)")
        }
        let counts = data.take()
        if counts.behindTheEnd > 0 {
            report.add(
                .behindTheEnd, .damage, "\(counts.behindTheEnd) mappings lead behind the end of the data device")
        }
        checkDoubles(whole, DoubleMappings(forest, counts))
        if let dataMap { checkCounts(dataMap, counts) }
    }

    /// Names the devices that map a data block more than once.
    ///
    /// - Parameter devices: The devices in whose trees nothing is wrong, and the roots of these.
    private mutating func checkDoubles(
        _ devices: [(details: ThinDeviceDetails, root: UInt64)], _ mappings: DoubleMappings
    ) {
        var mappings = mappings
        let doubles = devices.flatMap { mappings.doubles(of: $0.details, $0.root) }
        let parts = Dictionary(grouping: doubles, by: \.isWritable)
        if let found = parts[true] {
            add(found, .damage, "a write to one of the places changes the others")
        }
        // thin_check counts no block more often than there are devices.
        let isOnly = roots.count + heldRoots.count == 1
        if let found = parts[false] {
            add(found, isOnly ? .minor : .note, "the pool copies them before a write")
        }
    }

    private mutating func add(
        _ doubles: [DoubleMappings.Block], _ severity: ThinMetadataFinding.Severity, _ consequence: String
    ) {
        let blocks = Set(doubles.map(\.number))
        let first = blocks.min().map { "; the first is block \($0)" } ?? ""
        report.add(
            .doubleMapping, severity,
            "\(blocks.count) data blocks are at several places of one device, and \(consequence)\(first)",
            devices: Set(doubles.map(\.device)).sorted())
    }

    /// Compares what is mapped with what the devices say, and names the devices that a fault hits.
    ///
    /// - Returns: The devices in whose trees nothing is wrong, and the roots of these.
    private mutating func checkDevices(
        _ forest: MappingForest, _ leaves: [LeafSummary]
    ) -> [(details: ThinDeviceDetails, root: UInt64)] {
        var summaries = MappingSummaries(forest, leaves)
        var (broken, odd): ([ThinDeviceID], [ThinDeviceID]) = ([], [])
        var wrong: [(ThinDeviceID, stored: UInt64, real: UInt64)] = []
        var whole: [(details: ThinDeviceDetails, root: UInt64)] = []
        for (id, root) in roots {
            let tree = summaries.subtree(of: root)
            guard let details = details[id] else { continue }
            if tree.isBroken {
                broken.append(details.id)
            } else if tree.mapped != details.mappedBlocks {
                wrong.append((details.id, details.mappedBlocks, tree.mapped))
            }
            if tree.isOdd { odd.append(details.id) }
            if !tree.isBroken, !tree.isOdd { whole.append((details, root)) }
        }
        let held = heldRoots.contains { summaries.subtree(of: $0).isBroken }
        for (block, fault) in summaries.faults.sorted(by: { $0.key < $1.key }).prefix(100) {
            report.add(
                .node, fault.isHarmless ? .minor : .damage, "a tree of mappings: block \(block): \(fault.text)",
                devices: fault.isHarmless ? odd : broken)
        }
        if broken.isEmpty == false || held, summaries.faults.isEmpty {
            report.add(.node, .damage, "trees of mappings cannot be walked", devices: broken)
        }
        for (id, stored, real) in wrong.prefix(100) {
            report.add(
                .mappedBlocks, .damage, "device \(id) has \(real) mappings, and its description says \(stored)",
                devices: [id])
        }
        return whole
    }

    private mutating func checkCounts(_ dataMap: SpaceMapContent, _ counts: DataUseCounts) {
        let metadataMap = SpaceMapContent(.metadata, superblock.metadataCounts, of: blocks, uses: &uses)
        add(metadataMap.faults, .spaceMap, "the counts of the metadata blocks")
        let data = CountComparison(dataMap) { number in (counts.part(number), counts.largeCount) }
        (report.wrongDataCounts, report.hasMoreWrongCounts) = take(data, dataMap, .dataCounts, "data")
        let uses = uses
        let metadata = CountComparison(metadataMap) { number in
            (uses.counts.part(number).map { UInt8(clamping: $0) }, { uses.counts[Int($0)] })
        }
        let (wrong, more) = take(metadata, metadataMap, .metadataCounts, "metadata")
        report.wrongMetadataCounts = wrong
        report.hasMoreWrongCounts = report.hasMoreWrongCounts || more
    }

    /// Adds what a comparison has found.
    private mutating func take(
        _ counts: CountComparison, _ map: SpaceMapContent, _ kind: ThinMetadataFinding.Kind, _ device: String
    ) -> (wrong: [ThinMetadataReport.WrongCount], hasMore: Bool) {
        add(counts.faults, .spaceMap, "a bitmap of the \(device) blocks")
        let wrong = counts.wrong.sorted { $0.block < $1.block }
        let first =
            wrong.first.map { "; the first is block \($0.block), with \($0.stored) instead of \($0.real)" } ?? ""
        if counts.tooLow > 0 {
            report.add(
                kind, .damage,
                "\(counts.tooLow) \(device) blocks are used more often than they are counted, and would be overwritten"
                    + first)
        }
        report.overcounted += counts.overcounted
        if counts.tooHigh > 0 {
            report.add(
                kind, .minor, "\(counts.tooHigh) \(device) blocks are counted more often than they are used" + first)
        }
        if counts.wrongFreeCounts > 0 {
            report.add(
                kind, .note,
                "\(counts.wrongFreeCounts) entries of the index of the \(device) blocks have a wrong number of free blocks"
            )
        }
        if counts.faults.isEmpty, map.faults.isEmpty, counts.used != map.root.used {
            report.add(
                kind, .note, "\(counts.used) \(device) blocks are in use, and the superblock says \(map.root.used)")
        }
        return (wrong, counts.tooHigh + counts.tooLow > UInt64(wrong.count))
    }
}
