internal import SystemPackage
internal import ThinProvisioning

extension PoolReport {
    /// The problems that somebody has to solve, the worst first.
    public var problems: [PoolProblem] {
        var problems: [PoolProblem] = []
        if isSuspended {
            problems.append(
                PoolProblem(
                    "the pool is suspended: everything that uses its layers waits",
                    [.init("Let it go on.", "dmlayer dm resume \(name)")]))
        }
        if !lostFiles.isEmpty {
            problems.append(
                PoolProblem(
                    lostFiles.map(\.summary).joined(separator: "; "), Self.rescue(lostFiles, program: program)))
        }
        switch condition {
        case .readWrite: break
        case .failed:
            problems.append(
                PoolProblem(
                    "the pool has failed: its metadata could not be read or written, and every layer fails",
                    [
                        Self.kernelLog, takeDown,
                        .init(
                            "Activate it again: the kernel goes back to what it has committed last.",
                            "\(program) pool status"),
                        .init("If its metadata was full, enlarge that.", moreMetadata.command),
                        .init("If it fails again, check its metadata as follows."),
                    ] + repair))
        case .inactive:
            guard let refusal else { break }
            problems.append(
                PoolProblem("the kernel refuses to activate the pool: \(refusal)", [Self.kernelLog] + repair))
        case .readOnly: problems.append(readOnly)
        case .outOfDataSpace:
            problems.append(
                PoolProblem(
                    "the pool's data is full: \(whenFull)",
                    [moreData, fewerLayers, remount]))
        }
        return problems + shortages + warnings
    }

    /// The fate of writes that need a new block when the pool is full, or now that it is full.
    public var whenFull: String {
        if errorIfNoSpace { return "writes fail at once" }
        let timeout = NoSpaceTimeout(seconds: noSpaceTimeout)
        guard hasTimedOut else { return "writes wait for more space" + timeout.words }
        let time = noSpaceTimeout.map { $0 == 0 ? "" : " for \($0) s" } ?? ""
        return "writes have waited\(time) (no_space_timeout), and fail now until there is more space"
    }

    /// The data that a guest can see and the command that prevents it; `nil` where new blocks are filled with zeros.
    public var zeroingWarning: String? {
        guard !zeroesNewBlocks else { return nil }
        let change =
            isMadeElsewhere
            ? "change that where the pool was made, one of LVM's with “lvchange --zero y GROUP/POOL”"
            : "“\(program) --storage-opt dm.zero_new_blocks=true init” changes that"
        return
            "the pool \(name) does not fill new blocks with zeros (dm.zero_new_blocks): a guest that reads its whole device "
            + "finds data of removed layers there; \(change)"
    }

    private var readOnly: PoolProblem {
        if needsCheck {
            return PoolProblem(
                "the pool is read-only: writing its metadata failed once, and it must be checked before anything is "
                    + "changed", repair)
        }
        if isReadOnlyByRequest {
            return PoolProblem(
                "the pool is read-only, because it was activated so (--read-only)",
                [.init("To write again, take it down.", "\(program) --read-only shutdown")])
        }
        if metadata.usage?.free == 0 {
            return PoolProblem("the pool is read-only: its metadata is full", [moreMetadata, remount])
        }
        return PoolProblem(
            "the pool is read-only: writing its metadata failed",
            [Self.kernelLog, takeDown, .init("Activate it again.", "\(program) pool status")])
    }

    /// The lack of space that keeps new layers from being made.
    private var shortages: [PoolProblem] {
        guard condition == .readWrite else { return [] }
        var problems: [PoolProblem] = []
        for (what, space, more) in [("data", data, moreData), ("metadata", metadata, moreMetadata)] {
            guard let usage = space.usage else { continue }
            let minimum = usage.minimumFree(percent: minimumFreeSpacePercent)
            if usage.free < minimum {
                problems.append(
                    PoolProblem(
                        "no layer can be made: \(ByteSize.decimal(usage.freeBytes)) of \(what) are free in the pool, and "
                            + "dm.min_free_space=\(minimumFreeSpacePercent)% asks for "
                            + ByteSize.decimal(minimum * usage.bytesPerBlock), [more, fewerLayers]))
            } else if let file = space.file,
                let shortage = file.shortage(for: usage, percent: minimumFreeSpacePercent)
            {
                problems.append(
                    PoolProblem(
                        "no layer can be made: the disk under \(file.path) can take \(ByteSize.decimal(shortage.available)) "
                            + "more \(what), and dm.min_free_space=\(minimumFreeSpacePercent)% of what fits on it is "
                            + ByteSize.decimal(shortage.minimum), [moreDisk(file), fewerLayers]))
            }
        }
        return problems
    }

    private var warnings: [PoolProblem] {
        var problems: [PoolProblem] = []
        if let file = data.file {
            let other = metadata.file.flatMap { $0.disk == file.disk ? $0.unallocated : nil } ?? 0
            let promised = file.unallocated + other
            if promised > file.diskFree {
                problems.append(
                    PoolProblem(
                        "the pool promises more than there is: its files may take \(ByteSize.decimal(promised)) more, and "
                            + "their disk has \(ByteSize.decimal(file.diskFree)) left; when that is full, writes to layers "
                            + "fail", [moreDisk(file)], isWarning: true))
            }
        }
        if isPassdownWanted, let discards, discards != .passedDown {
            problems.append(
                PoolProblem(
                    "the data device takes no discards: what removed layers had is free in the pool, and not below it",
                    [], isWarning: true))
        }
        if let problem = snapshotCount.flatMap({ SnapshotClock($0).problem }) { problems.append(problem) }
        return problems
    }
}

// MARK: Steps

extension PoolReport {
    private var program: String { Self.program(root) }

    /// The command about a store, as a person would type it.
    static func program(_ root: FilePath) -> String {
        root == "/var/lib/dmlayer" ? "dmlayer" : "dmlayer --root \(quoted(root.string))"
    }

    private static let kernelLog = PoolProblem.Step(
        "See why; a disk that fails must be replaced first.", "dmesg | grep -e device-mapper -e 'I/O error' | tail")

    private var takeDown: PoolProblem.Step {
        .init("Unmount every layer and take the pool down.", "\(program) shutdown")
    }

    private var fewerLayers: PoolProblem.Step {
        .init("Or remove layers that nobody needs.", "\(program) remove ID")
    }

    private var remount: PoolProblem.Step {
        .init(
            "A layer whose file system has met an error stays read-only until it is unmounted and mounted again.",
            "\(program) unmount ID && \(program) mount ID")
    }

    private func moreDisk(_ file: FileSpace) -> PoolProblem.Step {
        .init("Free space on the disk of \(file.path.removingLastComponent()), or enlarge it.")
    }

    private var moreData: PoolProblem.Step {
        more("data", data, "\(program) pool resize", UInt64(1) << 50)
    }

    private var moreMetadata: PoolProblem.Step {
        more("metadata", metadata, "\(program) pool resize --metadata", ThinPool.largestMetadata)
    }

    private func more(_ what: String, _ space: Space, _ command: String, _ largest: UInt64) -> PoolProblem.Step {
        if isForeign {
            return .init(
                "Enlarge the pool's \(what) where it was made, one of LVM's with “dmlayer pool extend” or lvextend.")
        }
        guard let file = space.file else {
            return .init(
                "Enlarge the device \(space.device ?? "") of the \(what), and let the pool use it.",
                "\(program) pool resize")
        }
        guard file.size < largest else {
            return .init("Move layers into another store; this one cannot have more \(what).")
        }
        return .init(
            "Enlarge the pool's \(what), to twice its size for example.",
            "\(command) \(min(file.size * 2, largest))")
    }

    /// How metadata is checked, and repaired on a copy.
    private var repair: [PoolProblem.Step] {
        guard !isForeign else {
            return [
                takeDown,
                .init("Repair it where it was made, an LVM pool with “lvconvert --repair VG/POOL”."),
            ]
        }
        let original = Self.quoted(metadata.file?.path.string ?? metadata.device ?? "")
        let besides = (metadata.file?.path ?? FilePath("/var/tmp/\(name)-metadata")).string
        let copy = Self.quoted(besides + ".before-repair")
        let repaired = Self.quoted(besides + ".repaired")
        var steps = [
            takeDown,
            .init(
                "Keep a copy of the metadata.",
                metadata.file == nil
                    ? "dd if=\(original) of=\(copy) bs=1M conv=sparse" : "cp --sparse=always \(original) \(copy)"),
            .init("See whether something is wrong with it.", "dmlayer metadata check \(original)"),
        ]
        // A full disk is also the most likely reason.
        if let file = metadata.file, file.diskFree < 2 * file.allocated { steps.insert(moreDisk(file), at: 0) }
        if needsCheck {
            steps.append(
                .init(
                    "If nothing is wrong, note that it was checked.",
                    "dmlayer metadata check --clear-needs-check \(original)"))
        }
        steps.append(
            .init(
                "If something is wrong, repair the copy, and put the result in place.",
                "truncate --reference=\(copy) \(repaired) && "
                    + "dmlayer metadata repair --input \(copy) --output \(repaired) && "
                    + "dd if=\(repaired) of=\(original) bs=1M conv=notrunc,fsync"))
        return steps + [.init("Activate the pool, and look again.", "\(program) pool status")]
    }

    /// A path as one word for a shell.
    static func quoted(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte
                || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte || "/._-:+@%".utf8.contains(byte)
        }
        return isPlain
            ? text : "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
