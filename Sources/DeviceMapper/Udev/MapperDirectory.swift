internal import SystemCalls
public import SystemPackage

/// A directory with the nodes of mapped devices, for machines on which no udevd makes links in `/dev/mapper`.
public struct MapperDirectory: Hashable, Sendable {
    /// The directory's path.
    public let path: FilePath

    /// `/dev/mapper`, where udev's rules make links to the devices.
    public static let usual = MapperDirectory("/dev/mapper")

    /// Names a directory, which need not exist.
    public init(_ path: FilePath) { self.path = path }

    /// The owner and the mode of a node.
    public struct Owner: Hashable, Sendable {
        /// The number of the user.
        public var user: UInt32
        /// The number of the group.
        public var group: UInt32
        /// The mode, without the type.
        public var mode: UInt32

        /// Makes an owner.
        public init(user: UInt32, group: UInt32, mode: UInt32) {
            (self.user, self.group, self.mode) = (user, group, mode)
        }

        /// The owner of disks in Debian: root and the group `disk`.
        public static let disks = Owner(user: 0, group: 6, mode: 0o660)
    }

    /// The path of a device's node; `nil` for a name that no file can have.
    private func path(of name: String) -> FilePath? {
        FilePath.Component(name).map { path.appending($0) }
    }

    /// Makes the directory and the node by which programs reach the kernel's device mapper, `control`, unless they are there.
    ///
    /// The kernel's number of that node is fixed (`MAPPER_CTRL_MINOR` in `linux/miscdevice.h`), and it loads the module when the
    /// node is opened.
    ///
    /// - Returns: The path of the node.
    /// - Throws: ``DeviceMapperError/Code/failed`` when one of the two cannot be made.
    public func makeControlNode() throws(DeviceMapperError) -> FilePath {
        let node = path.appending("control")
        let number = DeviceNumber(encoded: 10 << 8 | 236)
        // A node that cannot be examined is made anew, which says why it cannot be.
        if let present = try? Stat(node), present.type == .characterSpecial,
            DeviceNumber(present.specialDeviceID) == number
        {
            return node
        }
        do {
            try makePath()
            try place(node, S_IFCHR | 0o600, number)
        } catch {
            throw DeviceMapperError(.failed, attempt: "make the node", device: node.string, errno: error)
        }
        return node
    }

    /// Makes the directory and those above it.
    private func makePath() throws(Errno) {
        var part = FilePath(root: path.root, [])
        for component in path.components {
            part.append(component)
            do {
                try systemCall { unsafe mkdir(part.string, 0o755) }
            } catch {
                guard error == .fileExists else { throw error }
            }
        }
    }

    /// Makes the node of a device, unless it is there.
    ///
    /// - Parameters:
    ///   - name: The device's name as the kernel has it.
    ///   - number: The device.
    ///   - owner: Its owner and mode if it is made.
    /// - Returns: Whether it was made.
    @discardableResult
    public func make(
        _ name: String, _ number: DeviceNumber, _ owner: Owner
    ) throws(DeviceMapperError) -> Bool {
        guard let path = path(of: name) else {
            throw DeviceMapperError(.invalidName, attempt: "make a node for", device: name)
        }
        // A path that cannot be examined is made anew.
        if let present = try? Stat(path), present.type == .blockSpecial,
            DeviceNumber(present.specialDeviceID) == number
        {
            return false
        }
        do {
            try place(path, S_IFBLK | owner.mode, number) { made throws(Errno) in
                try systemCall { unsafe chown(made.string, owner.user, owner.group) }
                try systemCall { unsafe chmod(made.string, owner.mode) }
            }
            return true
        } catch {
            throw DeviceMapperError(.failed, attempt: "make the node", device: path.string, errno: error)
        }
    }

    /// The beginning of the names under which nodes are made.
    private static let unfinished = ".new-"

    /// Makes a node under another name and renames it, so that processes that make the same node do not disturb each other, and
    /// nobody finds no node where there was one.
    ///
    /// - Parameter prepare: What is done to the node before it has its name.
    private func place(
        _ node: FilePath, _ mode: mode_t, _ number: DeviceNumber,
        prepare: (FilePath) throws(Errno) -> Void = { _ throws(Errno) in }
    ) throws(Errno) {
        let made = path.appending("\(Self.unfinished)\(String(UInt64.random(in: .min ... .max), radix: 16))")
        try systemCall { unsafe mknod(made.string, mode, dev_t(number.encoded)) }
        do {
            try prepare(made)
            try systemCall { unsafe SystemCalls.rename(made.string, node.string) }
        } catch {
            // The first failure is reported.
            _ = try? systemCall { unsafe unlink(made.string) }
            throw error
        }
    }

    /// Removes the node of a device that has gone.
    ///
    /// - Returns: Whether there was one.
    @discardableResult
    public func remove(_ name: String) -> Bool {
        // A node that is missing needs no removal, and a node in the way is replaced when it is needed.
        guard let path = path(of: name), (try? Stat(path, followTargetSymlink: false))?.type == .blockSpecial else {
            return false
        }
        // As above.
        return (try? systemCall { unsafe unlink(path.string) }) != nil
    }

    /// Gives the node of a device its new name.
    public func rename(_ name: String, to newName: String) {
        guard let path = path(of: name), let newPath = self.path(of: newName) else { return }
        // Without the old node there is nothing to rename.
        _ = try? systemCall { unsafe SystemCalls.rename(path.string, newPath.string) }
    }

    /// Removes the nodes of all mapped devices but those with these names.
    ///
    /// - Returns: The names of the nodes that were removed.
    @discardableResult
    public func removeAll(except names: Set<String>) -> [String] {
        guard let stream = unsafe opendir(path.string) else { return [] }
        defer { unsafe closedir(stream) }
        var found: [String] = []
        while let entry = unsafe readdir(stream) {
            found.append(
                unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                    unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
                })
        }
        return found.sorted().filter {
            $0 != "control" && !$0.hasPrefix(Self.unfinished) && !names.contains($0) && remove($0)
        }
    }
}
