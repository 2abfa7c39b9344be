internal import BlockDevices
internal import DeviceMapper
internal import SystemPackage
internal import ThinProvisioning

/// Examines the pool and the files or devices below it.
struct PoolExamination {
    let directory: StoreDirectory
    /// The store, if it can be opened.
    let store: StoreCore?
    var findings = Findings()
    var pool = PoolView()

    init(_ directory: StoreDirectory, _ store: StoreCore?) {
        self.directory = directory
        self.store = store
    }

    /// Whether the pool is this store's alone.
    private var ownsPool: Bool { store.map { $0.pool.named == nil } ?? false }

    mutating func run() {
        let active = activePool()
        // A pool that does not answer is a finding of its own, below.
        let lost = active.flatMap { try? store?.pool.backing.lostFiles(of: $0) } ?? []
        for file in lost {
            findings.add(
                .backingStore, .error, file.path.string, file.summary,
                StoreFinding.advice(PoolReport.rescue([file], program: PoolReport.program(directory.root))))
        }
        examineBackingFiles(but: lost.map(\.path))
        pool.isActive = active != nil
        var metadataPath: FilePath?
        if let active {
            examineState(of: active)
            metadataPath = path { try active.target().target.metadataDevice }
            pool.dataPath = path { try active.target().target.dataDevice }
        } else if ownsPool || store == nil {
            let source = store?.configuration.pool
            metadataPath = source?.metadataDevice.map { FilePath($0) } ?? directory.metadataFile
            pool.dataPath = source?.dataDevice.map { FilePath($0) } ?? directory.dataFile
        }
        if let metadataPath { readMetadata(metadataPath) }
    }

    private func path(_ device: () throws -> TargetDevice) -> FilePath? {
        // A pool that does not tell its table is a finding of its own.
        switch try? device() {
        case .number(let number)?: try? DeviceNode.path(of: number)
        case .path(let path)?: FilePath(path)
        case nil: nil
        }
    }

    /// The pool if it is active, whoever has made it.
    private mutating func activePool() -> ThinPool? {
        guard let store else { return nil }
        // The name only completes a finding.
        let name = (try? directory.poolName().description) ?? "pool"
        do {
            if let pool = try store.pool.active() { return pool }
            guard let path = store.configuration.pool.poolDevice else { return nil }
            findings.add(
                .pool, .warning, path, "the pool \(path) is not active, so that nothing can be read of it",
                "The next command that needs it activates it, if it is in a volume group; otherwise activate it where it was "
                    + "made")
            return nil
        } catch let error as LayerStoreError {
            findings.add(.pool, .error, name, error.reason)
        } catch let error as DeviceMapperError where error.code == .noDeviceMapper || error.code == .notPermitted {
            findings.add(.pool, .warning, name, "the kernel could not be asked whether the pool is active: \(error)")
            return nil
        } catch {
            findings.add(.pool, .error, name, "\(error)")
        }
        // Looking at a pool that somebody else has active does it no harm.
        return try? directory.poolName().pool(in: store.kernel.control())
    }

    private mutating func examineState(of active: ThinPool) {
        do {
            if case .available(let state) = try active.status() { pool.state = state }
            if let report = try store.map({ try PoolReporting(core: $0).report(on: active) }),
                report.condition != .readWrite || report.isSuspended
            {
                for problem in report.problems where !problem.isWarning {
                    findings.add(
                        .poolMode, .error, active.name.description, problem.summary, StoreFinding.advice(problem.steps))
                }
            }
        } catch {
            findings.add(.poolMode, .error, active.name.description, "cannot ask the pool for its state: \(error)")
        }
        // A device that cannot be asked is a finding of its own.
        if let length = try? active.target().length, let path = path({ try active.target().target.dataDevice }),
            let device = try? BlockDevice(path), let size = try? device.size(), size < length.bytes
        {
            findings.add(
                .backingStore, .error, path.string,
                "the pool uses \(length.bytes) bytes of \(path), which has \(size)",
                "Layers that have data in the missing part are damaged; enlarge the device to what it was")
        }
    }

    private mutating func examineBackingFiles(but lost: [FilePath]) {
        guard let source = store?.configuration.pool else { return }
        for (file, size) in [
            (directory.dataFile, source.dataFileSize), (directory.metadataFile, source.metadataFileSize),
        ] where !lost.contains(file) {
            guard let size else { continue }
            do {
                let present = try PoolFile.size(of: file)
                if present < size { addShort(file, present, size, "and was made with") }
            } catch {
                findings.add(.backingStore, .error, file.string, error.reason, "Restore it from a backup")
            }
        }
    }

    private mutating func addShort(_ file: FilePath, _ size: UInt64, _ needed: UInt64, _ words: String) {
        guard !findings.all.contains(where: { $0.kind == .backingStore && $0.subject == file.string }) else { return }
        findings.add(
            .backingStore, .error, file.string, "\(file) has \(size) bytes \(words) \(needed); it was cut short",
            "Restore it from a backup: making it longer does not bring back what was in the missing part")
    }

    // MARK: The metadata

    private mutating func readMetadata(_ path: FilePath) {
        do {
            let source = try ThinMetadataDevice(path)
            let (superblock, devices) = try ThinPoolMetadata.consistently(reading: source) { metadata in
                pool.superblock = metadata.superblock
                return (metadata.superblock, try metadata.devices())
            }
            pool.source = source
            pool.superblock = superblock
            pool.devices = Dictionary(devices.map { ($0.id, $0) }) { first, _ in first }
        } catch let error as ThinMetadataError where error.code == .notAPool && !pool.isActive {
            findings.add(
                .poolMetadata, .error, path.string, "there is no pool's metadata on \(path)",
                "If it was overwritten, restore it from a backup; “dmlayer init” completes a store that was never used")
        } catch {
            findings.add(
                .poolMetadata, .error, path.string, "cannot read the pool's metadata on \(path): \(error)",
                (error as? ThinMetadataError)?.code == .unreadable
                    ? "“dmesg” tells why; a disk that fails must be replaced"
                    : pool.isActive
                        ? "Try again" : "“dmlayer metadata repair” writes what is left of it to another file or device")
        }
        if let superblock = pool.superblock { examine(superblock, path) }
    }

    private mutating func examine(_ superblock: ThinPoolSuperblock, _ path: FilePath) {
        if superblock.needsCheck, !pool.isActive {
            findings.add(
                .poolMode, .error, path.string,
                "the pool's metadata must be checked before the pool can be changed again: writing it failed once",
                "“dmlayer metadata check --clear-needs-check \(path)” checks it, and takes the mark away if nothing is wrong; "
                    + "otherwise “dmlayer metadata repair” writes a good copy to another file or device"
            )
        }
        if ownsPool, let configuration = store?.configuration, configuration.blockSize != superblock.blockSize.bytes {
            findings.add(
                .configuration, .error, StoreConfiguration.fileName,
                "\(StoreConfiguration.fileName) says that the pool has blocks of \(configuration.blockSize) bytes, and they "
                    + "have \(superblock.blockSize.bytes)",
                "Write “\"block_size\":\(superblock.blockSize.bytes)” there; if other things do not agree either, it is the "
                    + "file of another store")
        }
        if let root = superblock.heldRoot {
            findings.add(
                .heldSnapshot, .information, "\(root)",
                "somebody holds a snapshot of the pool's metadata (block \(root)); while it is held, what is removed does "
                    + "not become free. If nobody knows of it, “dmlayer dm message POOL 0 release_metadata_snap” gives it up"
            )
        }
        if let (severity, message, advice) = SnapshotClock(superblock.time).finding {
            findings.add(.clock, severity, "\(superblock.time)", message, advice)
        }
        // A short file is told by the superblock as well, whatever store.json says.
        if ownsPool || store == nil {
            let source = store?.configuration.pool
            for (device, file, usage, unit) in [
                (source?.dataDevice, directory.dataFile, superblock.dataUsage, superblock.blockSize.bytes),
                (
                    source?.metadataDevice, directory.metadataFile, superblock.metadataUsage,
                    BlockUsage.metadataBlockSize
                ),
            ] where device == nil {
                // A file that is missing has been found above.
                guard let usage, let size = try? PoolFile.size(of: file) else { continue }
                let (needed, overflow) = usage.total.multipliedReportingOverflow(by: unit)
                if overflow || size < needed { addShort(file, size, overflow ? .max : needed, "and the pool uses") }
            }
        }
    }
}

extension DeviceName {
    /// The pool of this name.
    fileprivate func pool(in control: Control) throws -> ThinPool { try ThinPool(control, open: .name(self)) }
}
