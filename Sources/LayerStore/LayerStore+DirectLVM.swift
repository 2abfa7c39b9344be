internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import Glibc
internal import LogicalVolumes
internal import SystemPackage

/// What Docker keeps of the options about direct-lvm, in `setup-config.json`: as they were given, 0 where they were not.
public struct DirectLVMOptions: Hashable, Sendable, Codable {
    /// `dm.directlvm_device`.
    public var device: String
    /// `dm.thinp_percent`.
    public var dataPercent: Int
    /// `dm.thinp_metapercent`.
    public var metadataPercent: Int
    /// `dm.thinp_autoextend_percent`.
    public var autoextendPercent: Int
    /// `dm.thinp_autoextend_threshold`.
    public var autoextendThreshold: Int

    enum CodingKeys: String, CodingKey {
        case device = "Device"
        case dataPercent = "ThinpPercent"
        case metadataPercent = "ThinpMetaPercent"
        case autoextendPercent = "AutoExtendPercent"
        case autoextendThreshold = "AutoExtendThreshold"
    }

    static let fileName = "setup-config.json"
    /// The size of a block of a pool that is made so, in bytes.
    static let blockSize: UInt64 = 512 << 10

    /// - Returns: `nil` when the options name no device.
    init?(_ options: StorageOptions) {
        guard let device = options.directLVMDevice else { return nil }
        self.device = device
        dataPercent = options.thinPoolPercent ?? 0
        metadataPercent = options.thinPoolMetadataPercent ?? 0
        autoextendPercent = options.autoextendPercent ?? 0
        autoextendThreshold = options.autoextendThreshold ?? 0
    }

    /// What a root says that its pool was made with; an empty file is none, as for Docker.
    ///
    /// - Throws: ``LayerStoreError/Code/damagedMetadata``.
    static func kept(in directory: StoreDirectory) throws(LayerStoreError) -> DirectLVMOptions? {
        guard let content = try DurableDirectory(directory.root).read(fileName), !content.isEmpty else { return nil }
        do {
            return try StoreJSON.decode(DirectLVMOptions.self, content)
        } catch {
            throw LayerStoreError(
                .damagedMetadata,
                "\(directory.root.appending(fileName)) cannot be understood: \(LayerMetadata.explain(error, content))",
                underlying: error)
        }
    }

    /// The shares of the device with Docker's defaults.
    var layout: ThinPoolLayout {
        func value(_ given: Int, _ standard: Int) -> Int { given == 0 ? standard : given }
        return ThinPoolLayout(
            dataPercent: value(dataPercent, 95), metadataPercent: value(metadataPercent, 1),
            autoextend: AutoextendSettings(
                threshold: value(autoextendThreshold, 80), percent: value(autoextendPercent, 20)))
    }
}

extension LayerStore {
    /// Makes a volume group and a pool on the device that the options name, unless that was done before.
    ///
    /// - Throws: ``LayerStoreError/Code/optionsContradict`` when the root's pool was made otherwise;
    ///   ``LayerStoreError/Code/backingStore`` when the device cannot be taken.
    static func setUpDirectLVM(
        _ options: StorageOptions, zeroesNewBlocks: Bool, in directory: StoreDirectory
    ) throws {
        guard let wanted = DirectLVMOptions(options) else { return }
        if let kept = try DirectLVMOptions.kept(in: directory) {
            guard kept == wanted else {
                throw LayerStoreError(
                    .optionsContradict,
                    "the pool was made on \(kept.device), and \(DirectLVMOptions.fileName) in the root says with which "
                        + "options; they cannot change")
            }
            return
        }
        var layout = wanted.layout
        layout.zeroesNewBlocks = zeroesNewBlocks
        do {
            try ThinPoolVolume.docker.create(
                on: wanted.device, overwrites: options.forcesDirectLVMDevice ?? false, layout: layout)
        } catch let error as LogicalVolumeError {
            throw LayerStoreError(.backingStore, "\(error)\(users(of: wanted.device, error))", underlying: error)
        }
        try DurableDirectory(directory.root).write(DirectLVMOptions.fileName, try StoreJSON.encode(wanted))
    }

    /// Who uses a device, where that is why it was not taken.
    private static func users(of path: String, _ error: LogicalVolumeError) -> String {
        guard error.code == .inUse, let device = try? BlockDevice(FilePath(path)) else { return "" }
        // The mappings on it are named already, and this process has just looked at it.
        let users = DeviceUser.users(of: device.number).filter { user in
            switch user {
            case .process(let process, _, _): process != Int(getpid())
            case .mount: true
            case .holder: false
            }
        }.map(\.description)
        return users.isEmpty ? "" : "; it is used by \(users.joined(separator: ", "))"
    }

    /// The device of a pool that somebody else made, if it is active.
    ///
    /// Where lvm2 has thin volumes of its own in a pool, it puts another device on top of the pool, and people name that one:
    /// the pool's own has the suffix `-tpool` in its name and its uuid.
    func foreignPool(_ path: String, _ control: Control) throws -> DeviceReference? {
        let reference = try Self.reference(toPool: path)
        guard let named = try control.informationIfPresent(on: reference) else {
            guard case .name(let name) = reference, let below = try? DeviceName("\(name)\(Self.layerSuffix)"),
                let pool = try control.informationIfPresent(on: .name(below)), pool.hasActiveTable,
                pool.uuid?.description.hasSuffix(Self.layerSuffix) == true
            else { return nil }
            return .number(pool.number)
        }
        if let uuid = named.uuid, uuid.hasPrefix("LVM-"), let below = try? DeviceUUID("\(uuid)\(Self.layerSuffix)"),
            let pool = try control.informationIfPresent(on: .uuid(below)), pool.hasActiveTable
        {
            return .number(pool.number)
        }
        return named.hasActiveTable ? reference : nil
    }

    /// Activates a pool that is a logical volume, or completes what of it is active.
    ///
    /// - Returns: Whether `path` is the name of one that there is.
    func activateLogicalVolume(_ path: String) throws -> Bool {
        do {
            guard let volume = try poolVolume() else { return false }
            try volume.activate(try control())
            return true
        } catch let error as LogicalVolumeError where error.code == .notFound {
            return false
        } catch let error as LogicalVolumeError {
            throw LayerStoreError(.backingStore, "cannot activate the pool \(path): \(error)", underlying: error)
        }
    }
}
