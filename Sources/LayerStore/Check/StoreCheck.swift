public import DeviceMapper
internal import Glibc
public import SystemPackage
internal import ThinProvisioning

/// Compares everything that a store consists of: its files, its pool and what the pool stands on.
///
/// It changes nothing, activates nothing, takes no lock and has no pool commit anything. So it sees operations half way:
/// what it reads of the directory before and after the pool counts both.
struct StoreCheck {
    let directory: StoreDirectory
    /// The store, if it can be opened.
    let store: LayerStore?
    let metadata: LayerMetadata?

    var findings: [StoreFinding] = []
    /// What the directory said before and after the pool was read.
    var before: MetadataContents?
    var after: MetadataContents?
    var pool = PoolView()
    /// Whether an operation was under way between the pool was read and the directory was read again.
    var isBusy = true

    /// What is known of the pool.
    struct PoolView {
        var isActive = false
        var state: ThinPoolState?
        var source: ThinMetadataDevice?
        var superblock: ThinPoolSuperblock?
        var devices: [ThinDeviceID: ThinDeviceDetails]?
        var dataPath: FilePath?
    }

    /// Examines the store in `root`.
    ///
    /// - Throws: ``LayerStoreError/Code/notInitialized`` when there is none.
    init(
        _ root: FilePath, options: StorageOptions, transport: (any ControlTransport)?
    ) throws(LayerStoreError) {
        do {
            try self.init(
                root,
                store: LayerStore(opening: root, options: options, transport: transport, removals: .beforeReturning))
        } catch {
            if [.optionsContradict, .invalidOption].contains(error.code) { throw error }
            try self.init(root, store: nil, refusal: error)
        }
    }

    /// Examines a store that could be opened, or that could not.
    init(_ root: FilePath, store: LayerStore?, refusal: LayerStoreError? = nil) throws(LayerStoreError) {
        directory = try StoreDirectory(opening: root)
        self.store = store
        do {
            metadata = try LayerMetadata(directory.metadata)
        } catch {
            if refusal?.code == .notInitialized { throw refusal ?? error }
            metadata = nil
            add(
                .metadataDirectory, .error, "metadata", error.reason,
                "Without the files in it nothing says which layers there are; restore it from a backup")
        }
        if let refusal { addRefusal(refusal) }
        before = contents()
        examinePool()
        isBusy = (try? StoreLock(directory.lockFile).isHeld()) ?? true
        after = contents()
        examineFiles()
        examineDevices()
        examineBaseDevice()
        examineMappedDevices()
    }

    private func contents() -> MetadataContents? {
        guard let metadata else { return nil }
        return try? MetadataContents(metadata, DeviceIDAllocator(directory: metadata.directory))
    }

    private mutating func addRefusal(_ error: LayerStoreError) {
        guard metadata != nil else { return }
        let file = directory.root.appending(StoreConfiguration.fileName)
        if error.code == .notInitialized {
            add(
                .configuration, .error, StoreConfiguration.fileName,
                "there is no \(file), and the root is none that Docker's driver has completed: nothing says what its pool is",
                "Restore the file from a backup")
        } else {
            add(
                .configuration, .error, StoreConfiguration.fileName, error.reason,
                "Restore the file from a backup. In a root on loop files that has a base device, moving it away helps too: "
                    + "what it says then follows from the other files, but for the mount options and dm.min_free_space")
        }
    }

    mutating func add(
        _ kind: StoreFinding.Kind, _ severity: StoreFinding.Severity, _ subject: String, _ message: String,
        _ advice: String? = nil, isRepairable: Bool = false
    ) {
        findings.append(
            StoreFinding(
                kind: kind, severity: severity, subject: subject, message: message, advice: advice,
                isRepairable: isRepairable))
    }

    /// The layers that were there before and after the pool was read.
    var records: [String: LayerRecord] {
        guard let before, let after else { return [:] }
        return after.records.filter { before.records[$0.key]?.deviceID == $0.value.deviceID }
    }

    /// Whether the pool is this store's alone.
    var ownsPool: Bool { store.map { $0.configuration.pool.poolDevice == nil } ?? false }
}

extension LayerStore {
    /// Compares everything that a store consists of: its files, its pool and what the pool stands on.
    ///
    /// Nothing is changed: no pool is activated or has to commit anything, no lock is taken. The pool's metadata is read
    /// from its device, whether the pool is active or not. What other processes are doing meanwhile is not
    /// reported as a disagreement.
    ///
    /// - Parameters:
    ///   - root: The root of the store, whose `store.json` may be damaged.
    ///   - options: Options that must not contradict what the store was made with.
    ///   - transport: How commands reach the kernel; `nil` opens the control node when it is needed.
    /// - Throws: ``LayerStoreError/Code/notInitialized`` when there is no store, ``LayerStoreError/Code/optionsContradict``.
    public static func check(
        _ root: FilePath, options: StorageOptions = StorageOptions(), transport: (any ControlTransport)? = nil
    ) throws(LayerStoreError) -> StoreReport {
        try attempting("check the store \(root)") { try report(on: root, options, transport) }
    }

    static func report(
        on root: FilePath, _ options: StorageOptions, _ transport: (any ControlTransport)?, before: [StoreFinding] = [],
        failures: [String] = []
    ) throws -> StoreReport {
        var check = try StoreCheck(root, options: options, transport: transport)
        if check.isBusy || check.pool.isActive, check.findings.contains(where: { $0.severity > .information }) {
            // Something that somebody was just doing is not there a moment later.
            usleep(250_000)
            let first = check.findings
            check = try StoreCheck(root, options: options, transport: transport)
            check.findings.removeAll { finding in !first.contains { $0.isSame(as: finding) } }
        }
        let findings = check.findings.sorted { left, right in
            left.severity == right.severity ? left.subject < right.subject : left.severity > right.severity
        }
        return StoreReport(
            findings: findings, repaired: before.filter { finding in !findings.contains { $0.isSame(as: finding) } },
            failures: failures, layerCount: check.after?.records.count ?? 0,
            thinDeviceCount: check.pool.devices?.count, isPoolActive: check.pool.isActive)
    }
}
