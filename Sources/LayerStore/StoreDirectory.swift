internal import DeviceMapper
internal import Glibc
internal import SystemPackage
internal import ThinProvisioning

/// The directory of a store, laid out as Docker's `/var/lib/docker/devicemapper`, and the names that follow from it.
struct StoreDirectory: Sendable {
    /// The root; what Docker calls the driver's home.
    let root: FilePath
    /// What the names of all mapped devices of the store begin with: as Docker's, from the identity of the root.
    let devicePrefix: String

    /// The metadata files of the base device and the layers.
    var metadata: FilePath { root.appending("metadata") }
    /// Where mount points and the lock file are instead of in the root, when nothing may be written there.
    var substitute: FilePath?
    /// One mount point for each layer that is mounted.
    var mountPoints: FilePath { substitute ?? root.appending("mnt") }
    /// The directory of the loop files.
    var loopFiles: FilePath { root.appending("devicemapper") }
    /// The file behind the pool's data device.
    var dataFile: FilePath { loopFiles.appending("data") }
    /// The file behind the pool's metadata device.
    var metadataFile: FilePath { loopFiles.appending("metadata") }
    /// The lock file.
    var lockFile: FilePath { substitute?.appending(".lock") ?? root.appending(Self.lockName) }
    /// The name of the lock file in the root.
    static let lockName = "lock"

    /// Opens the directory of a store.
    ///
    /// - Throws: ``LayerStoreError/Code/notInitialized`` when there is none.
    init(opening root: FilePath) throws(LayerStoreError) {
        do {
            let status = try Stat(root)
            guard status.type == .directory else { throw Errno.notDirectory }
            self.root = root
            let device = DeviceNumber(status.deviceID)
            devicePrefix = "docker-\(device)-\(status.inode.rawValue)-"
        } catch Errno.noSuchFileOrDirectory {
            try Self.refuseDanglingLink(on: root)
            throw LayerStoreError(.notInitialized, "\(root) does not exist; make a store with “dmlayer init”")
        } catch Errno.notDirectory {
            throw LayerStoreError(
                .failed, "\(root) is no directory; name one as the root", underlying: Errno.notDirectory)
        } catch {
            throw LayerStoreError(.failed, "cannot open \(root): \(error)", underlying: error)
        }
    }

    /// Refuses a path on which a symbolic link leads to nothing.
    private static func refuseDanglingLink(on path: FilePath) throws(LayerStoreError) {
        var part = path
        while !part.isEmpty, part.lastComponent != nil {
            if (try? Stat(part, followTargetSymlink: false).type) == .symbolicLink, (try? Stat(part)) == nil {
                var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
                let length = unsafe readlink(part.string, &buffer, buffer.count)
                let target = String(
                    decoding: buffer.prefix(max(0, length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
                throw LayerStoreError(
                    .failed,
                    "\(part) is a symbolic link to \(target), which does not exist; make that directory, or remove the link"
                )
            }
            part = part.removingLastComponent()
        }
    }

    /// Makes the directory of a store, or what is missing of it.
    ///
    /// - Parameters:
    ///   - root: The root.
    ///   - owner: Who owns the directories that are made, if it is not root.
    ///   - made: The directories that are made are appended to it, each behind the one that it is in; also on failure.
    init(making root: FilePath, owner: LayerOwner? = nil, noting made: inout [FilePath]) throws(LayerStoreError) {
        try Self.refuseDanglingLink(on: root)
        try Self.makeDirectory(root, mode: 0o700, owner: owner, noting: &made)
        try self.init(opening: root)
        try Self.makeDirectory(metadata, mode: 0o700, noting: &made)
        try Self.makeDirectory(loopFiles, mode: 0o700, noting: &made)
        try Self.makeDirectory(mountPoints, mode: 0o755, owner: owner, noting: &made)
    }

    /// The name of a layer's mapped device.
    ///
    /// - Throws: ``LayerStoreError/Code/invalidLayerID`` when the id is too long for one.
    func deviceName(of id: LayerID) throws(LayerStoreError) -> DeviceName {
        try Self.name(devicePrefix + id.text, id: id, longest: DeviceName.maximumLength - devicePrefix.utf8.count)
    }

    /// The name of the mapped device of a layer that was removed.
    func removedDeviceName(_ number: ThinDeviceID) throws(LayerStoreError) -> DeviceName {
        try Self.name(devicePrefix + Self.removedDevice + number.description, id: .base, longest: 0)
    }

    /// What follows the prefix in the name of a removed layer's device: no id of a layer begins with a dot.
    static let removedDevice = ".removed-"

    /// The name of the pool's device.
    func poolName() throws(LayerStoreError) -> DeviceName {
        try Self.name(devicePrefix + "pool", id: .base, longest: 0)
    }

    /// Whether the name is one that a store gives its pool: `docker-MAJOR:MINOR-INODE-pool`.
    static func isPoolName(_ name: String) -> Bool {
        let parts = name.split(separator: "-", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "docker" && parts[3] == "pool" && DeviceNumber(String(parts[1])) != nil
            && UInt64(parts[2]) != nil
    }

    private static func name(_ text: String, id: LayerID, longest: Int) throws(LayerStoreError) -> DeviceName {
        do {
            return try DeviceName(text)
        } catch {
            throw LayerStoreError(
                .invalidLayerID,
                "“\(id)” has \(id.text.utf8.count) characters, and in this root a layer id can have \(longest)",
                underlying: error)
        }
    }

    /// The mount point of a layer.
    func mountPoint(of id: LayerID) -> FilePath { mountPoints.appending(id.text) }

    /// Makes a directory with those above it; one that exists is left as it is.
    static func makeDirectory(
        _ path: FilePath, mode: mode_t, owner: LayerOwner? = nil
    ) throws(LayerStoreError) {
        var made: [FilePath] = []
        try makeDirectory(path, mode: mode, owner: owner, noting: &made)
    }

    private static func makeDirectory(
        _ path: FilePath, mode: mode_t, owner: LayerOwner? = nil, noting made: inout [FilePath]
    ) throws(LayerStoreError) {
        if try make(path, mode, owner, &made) || errno == EEXIST { return }
        let parent = path.removingLastComponent()
        if errno == ENOENT, parent != path, !parent.isEmpty {
            try makeDirectory(parent, mode: 0o755, noting: &made)
            if try make(path, mode, owner, &made) || errno == EEXIST { return }
        }
        let error = Errno(rawValue: errno)
        let advice = error == .readOnlyFileSystem ? "; mount it for writing, or name another root" : ""
        throw LayerStoreError(
            error == .noSpace ? .notEnoughSpace : .failed, "cannot make \(path): \(error)\(advice)", underlying: error)
    }

    /// Makes a directory and gives it to its owner.
    ///
    /// - Returns: Whether it has been made; otherwise `errno` says why not.
    private static func make(
        _ path: FilePath, _ mode: mode_t, _ owner: LayerOwner?, _ made: inout [FilePath]
    ) throws(LayerStoreError) -> Bool {
        guard unsafe mkdir(path.string, mode) == 0 else { return false }
        guard let owner else {
            made.append(path)
            return true
        }
        guard unsafe lchown(path.string, owner.user, owner.group) == 0 else {
            let error = Errno(rawValue: errno)
            _ = unsafe rmdir(path.string)
            throw LayerStoreError(
                .failed, "cannot give \(path) to \(owner.user):\(owner.group): \(error)", underlying: error)
        }
        made.append(path)
        return true
    }
}
