internal import DeviceMapper
internal import SystemCalls
internal import SystemPackage
internal import ThinProvisioning

/// The directory of a store, laid out as Docker's `/var/lib/docker/devicemapper`, and the names that follow from it.
///
/// The root and everything in it belong to root, also when the content of the layers belongs to another user: a user who
/// could rename or link something there could make root follow a link.
struct StoreDirectory: Sendable {
    /// The root, which Docker calls the driver's home.
    let root: FilePath
    /// The beginning of the names of the store's mapped devices.
    ///
    /// As with Docker, it follows from the device and inode of the root.
    let devicePrefix: String

    /// The metadata files of the base device and the layers.
    var metadata: FilePath { root.appending("metadata") }
    /// The directory for mount points and the lock file when nothing may be written to the root.
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

    /// Refuses a path that has a symbolic link to nothing in it.
    private static func refuseDanglingLink(on path: FilePath) throws(LayerStoreError) {
        var part = path
        while !part.isEmpty, part.lastComponent != nil {
            // A part that cannot be examined is no such link, or the call that opens the path tells why.
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

    /// Makes the directory of a store, or the missing parts of it.
    ///
    /// - Parameters:
    ///   - root: The root.
    ///   - owner: The owner of the layers' content, if it is not root. The group of the owner may pass through the root, so
    ///     that a container in a user namespace reaches its files.
    ///   - made: The directories that are made are appended to it, each after the one that it is in; also on failure.
    init(making root: FilePath, owner: LayerOwner? = nil, noting made: inout [FilePath]) throws(LayerStoreError) {
        try Self.refuseDanglingLink(on: root)
        let passing = owner.map { LayerOwner(user: geteuid(), group: $0.group) }
        try Self.makeDirectory(root, mode: owner == nil ? 0o700 : 0o710, owner: passing, noting: &made)
        try self.init(opening: root)
        try takeBackRoot()
        for directory in [metadata, loopFiles] { try Self.makeDirectory(directory, mode: 0o700, noting: &made) }
        try Self.makeDirectory(mountPoints, mode: 0o755, noting: &made)
        try Self.requireDirectory(mountPoints)
    }

    /// Makes root the owner of a root that earlier versions, and Docker, gave to the owner of the layers.
    ///
    /// The group stays, so that containers can still pass through.
    private func takeBackRoot() throws(LayerStoreError) {
        for path in [root, mountPoints] {
            do {
                let flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (path == root ? 0 : O_NOFOLLOW)
                let descriptor = try systemCall { unsafe SystemCalls.open(path.string, flags) }
                defer { SystemCalls.close(descriptor) }
                var status = stat()
                try systemCall { unsafe fstat(descriptor, &status) }
                guard status.st_uid != geteuid() else { continue }
                try systemCall { fchown(descriptor, geteuid(), .max) }
                let mode = status.st_mode & 0o7777 & ~0o022
                try systemCall { fchmod(descriptor, path == root ? mode | 0o010 : mode) }
                // The former owner may have put links in the place of these.
                for part in [metadata, loopFiles, mountPoints] { try Self.requireDirectory(part) }
            } catch let error as LayerStoreError {
                throw error
            } catch Errno.noSuchFileOrDirectory {
                continue
            } catch {
                throw LayerStoreError(.failed, "cannot make root the owner of \(path): \(error)", underlying: error)
            }
        }
    }

    /// Refuses anything but a directory, and a link to one as well; a path where there is nothing passes.
    private static func requireDirectory(_ path: FilePath) throws(LayerStoreError) {
        // A path that cannot be examined leads to an error in the call that uses it.
        guard let type = try? Stat(path, followTargetSymlink: false).type, type != .directory else { return }
        let kind = type == .symbolicLink ? "is a symbolic link, which is not followed here" : "is not a directory"
        throw LayerStoreError(.failed, "\(path) \(kind); remove it")
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

    /// The text after the prefix in the name of a removed layer's device.
    ///
    /// No layer id begins with a dot.
    static let removedDevice = ".removed-"

    /// The name of the pool's device.
    func poolName() throws(LayerStoreError) -> DeviceName {
        try Self.name(devicePrefix + "pool", id: .base, longest: 0)
    }

    /// Whether a name has the form that a store gives its pool: `docker-MAJOR:MINOR-INODE-pool`.
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

    // MARK: Mount points

    /// The mount point of a layer.
    func mountPoint(of id: LayerID) -> FilePath { mountPoints.appending(id.text) }

    /// Makes the mount point of a layer, unless it exists.
    ///
    /// - Throws: ``LayerStoreError/Code/failed`` when something else than a directory is in its place.
    func makeMountPoint(of id: LayerID) throws(LayerStoreError) {
        // In a root that Docker made for a user namespace, this directory can belong to the owner of the layers.
        try Self.requireDirectory(mountPoints)
        var made: [FilePath] = []
        try Self.makeDirectory(mountPoint(of: id), mode: 0o755, noting: &made)
        if made.isEmpty { try Self.requireDirectory(mountPoint(of: id)) }
    }

    /// Removes the mount point of a layer, unless something is mounted there.
    func removeMountPoint(of id: LayerID) {
        guard
            let parent = try? systemCall({
                unsafe SystemCalls.open(mountPoints.string, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            })
        else { return }
        defer { SystemCalls.close(parent) }
        // An empty directory that stays does no harm: the next mount uses it.
        _ = unsafe unlinkat(parent, id.text, AT_REMOVEDIR)
    }

    // MARK: Making directories

    /// Makes the directory of a layer's content, unless it exists.
    ///
    /// - Throws: ``LayerStoreError/Code/failed`` when something else than a directory is in its place.
    static func makeContent(_ path: FilePath, owner: LayerOwner?) throws(LayerStoreError) {
        try makeDirectory(path, mode: 0o755, owner: owner)
        try requireDirectory(path)
    }

    /// Makes a directory and its missing parents.
    ///
    /// A directory that exists is left as it is.
    static func makeDirectory(
        _ path: FilePath, mode: mode_t, owner: LayerOwner? = nil
    ) throws(LayerStoreError) {
        var made: [FilePath] = []
        try makeDirectory(path, mode: mode, owner: owner, noting: &made)
    }

    private static func makeDirectory(
        _ path: FilePath, mode: mode_t, owner: LayerOwner? = nil, noting made: inout [FilePath]
    ) throws(LayerStoreError) {
        let parent = path.removingLastComponent()
        var failure = make(path, mode)
        if failure == .noSuchFileOrDirectory, parent != path, !parent.isEmpty {
            try makeDirectory(parent, mode: 0o755, noting: &made)
            failure = make(path, mode)
        }
        switch failure {
        case nil: break
        case .fileExists?: return
        case let error?:
            let advice = error == .readOnlyFileSystem ? "; mount it for writing, or name another root" : ""
            throw LayerStoreError(
                error == .noSpace ? .notEnoughSpace : .failed, "cannot make \(path): \(error)\(advice)",
                underlying: error)
        }
        made.append(path)
        guard let owner else { return }
        do {
            try systemCall { unsafe lchown(path.string, owner.user, owner.group) }
        } catch {
            _ = unsafe rmdir(path.string)
            made.removeLast()
            throw LayerStoreError(
                .failed, "cannot give \(path) to \(owner.user):\(owner.group): \(error)", underlying: error)
        }
    }

    /// Makes one directory.
    ///
    /// - Returns: The error, or `nil` when the directory was made.
    private static func make(_ path: FilePath, _ mode: mode_t) -> Errno? {
        do {
            try systemCall { unsafe mkdir(path.string, mode) }
            return nil
        } catch {
            return error
        }
    }
}
