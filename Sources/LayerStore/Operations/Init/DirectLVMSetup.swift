internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import SystemCalls
internal import LogicalVolumes
internal import SystemPackage

/// Makes the volume group and the pool of direct-lvm, and takes them away again.
struct DirectLVMSetup {
    private let directory: StoreDirectory

    init(_ directory: StoreDirectory) {
        self.directory = directory
    }

    /// Makes a volume group and a pool on the device that the options name, unless that was done before.
    ///
    /// - Throws: ``LayerStoreError/Code/optionsContradict`` when the root's pool was made otherwise;
    ///   ``LayerStoreError/Code/backingStore`` when the device cannot be taken.
    func make(_ options: StorageOptions, zeroesNewBlocks: Bool) throws {
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
            throw LayerStoreError(.backingStore, "\(error)\(Self.users(of: wanted.device, error))", underlying: error)
        }
        try DurableDirectory(directory.root).write(DirectLVMOptions.fileName, try StoreJSON.encode(wanted))
    }

    /// The users of a device that was refused because it is in use; empty after any other error.
    private static func users(of path: String, _ error: LogicalVolumeError) -> String {
        // The users only complete the message.
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

    /// Takes the volume group away.
    func remove(_ options: DirectLVMOptions, _ control: Control) throws {
        try ThinPoolVolume.docker.remove(from: options.device, layout: options.layout, control)
        try DurableDirectory(directory.root).remove(DirectLVMOptions.fileName)
    }
}
