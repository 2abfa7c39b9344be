internal import BlockDevices
internal import DeviceMapper
internal import SystemPackage
internal import ThinProvisioning

/// The files or devices below a pool that the store makes.
struct PoolBacking: Sendable {
    private let source: PoolSource
    private let directory: StoreDirectory
    private let access: StoreAccess

    init(_ source: PoolSource, _ directory: StoreDirectory, _ access: StoreAccess) {
        self.source = source
        self.directory = directory
        self.access = access
    }

    /// A device below the pool, held open until the pool holds it.
    enum Opened {
        case loop(LoopDevice)
        case block(BlockDevice)

        var device: BlockDevice {
            switch self {
            case .loop(let loop): loop.device
            case .block(let device): device
            }
        }

        func close() { device.close() }
    }

    /// Opens the devices below the pool; files get loop devices.
    ///
    /// - Throws: ``LayerStoreError/Code/backingStore`` when one of them is in use.
    func open() throws -> (data: Opened, metadata: Opened) {
        let data = try open(source.dataDevice, file: directory.dataFile, size: source.dataFileSize)
        do {
            return (data, try open(source.metadataDevice, file: directory.metadataFile, size: source.metadataFileSize))
        } catch {
            data.close()
            throw error
        }
    }

    /// The name of the metadata's device for people: the file, where it is one.
    func metadataName(_ device: FilePath) -> FilePath { source.metadataDevice == nil ? directory.metadataFile : device }

    private func open(_ device: String?, file: FilePath, size: UInt64?) throws -> Opened {
        guard let device else {
            return .loop(try PoolFile.attach(file, expectedSize: size ?? 0, isReadOnly: access == .readOnly))
        }
        let opened = try BlockDevice(FilePath(device), access == .readOnly ? .readOnly : .readWrite)
        let holders = try DeviceHolder.holders(of: opened.number).map(\.description)
        guard holders.isEmpty else {
            opened.close()
            throw LayerStoreError(
                .backingStore,
                "\(device) is in use already by \(holders.joined(separator: ", ")); two pools on it destroy it")
        }
        return .block(opened)
    }

    // MARK: Whose files an active pool has

    /// The device or file below a pool with the store's uuid, if it is not the store's own file; `nil` if it is.
    func foreignFile(below pool: ThinPool) throws -> (found: String, expected: FilePath)? {
        let target = try pool.target().target
        for (device, named, file) in [
            (target.dataDevice, source.dataDevice, directory.dataFile),
            (target.metadataDevice, source.metadataDevice, directory.metadataFile),
        ] {
            guard named == nil, case .number(let number) = device, try !PoolFile.isBehind(number, file) else {
                continue
            }
            return (PoolFile.name(behind: number).map { "the file \($0)" } ?? "the device \(number)", file)
        }
        return nil
    }

    /// The files that an active pool goes on using although the store does not have them any more.
    func lostFiles(of pool: ThinPool) throws -> [LostPoolFile] {
        let target = try pool.target().target
        var lost: [LostPoolFile] = []
        for (device, path, size) in [
            (target.dataDevice, directory.dataFile, source.dataFileSize),
            (target.metadataDevice, directory.metadataFile, source.metadataFileSize),
        ] where size != nil {
            // A device that is not a loop device has no file that could be lost.
            guard case .number(let number) = device, let loop = try? LoopDevice(number: number) else { continue }
            defer { loop.close() }
            if try PoolFile.isBehind(number, path) { continue }
            // A file that cannot be examined is not there for the pool either.
            let isReplaced = (try? Stat(path)) != nil
            lost.append(LostPoolFile(path: path, device: loop.path, isReplaced: isReplaced))
        }
        return lost
    }

    /// Refuses an operation that would destroy the last copy of a file, or take another file for it.
    ///
    /// - Throws: ``LayerStoreError/Code/backingStore``.
    func requireFiles(of pool: ThinPool, _ consequence: String = "") throws {
        let lost = try lostFiles(of: pool)
        guard !lost.isEmpty else { return }
        let files = lost.map(\.summary).joined(separator: "; ")
        throw LayerStoreError(.backingStore, "\(files).\(consequence) “dmlayer check” says how to save it")
    }

    // MARK: Space

    /// The space of the data file, if there is one.
    func dataSpace() throws(LayerStoreError) -> FileSpace? {
        source.dataFileSize == nil ? nil : try FileSpace(of: directory.dataFile)
    }

    /// The space of the metadata file, if there is one.
    func metadataSpace() throws(LayerStoreError) -> FileSpace? {
        source.metadataFileSize == nil ? nil : try FileSpace(of: directory.metadataFile)
    }

    /// Gives the pool's metadata its place on the disk before it is needed.
    ///
    /// A full disk costs the layers the writes that do not fit. It would cost the pool its metadata if a part of that had no
    /// place either.
    func reserveMetadataSpace(_ state: ThinPoolState) {
        guard source.metadataFileSize != nil else { return }
        // A failed reservation is repeated with the next layer.
        try? PoolFile.reserveMetadata(directory.metadataFile, used: state.metadata.usedBytes)
    }
}
