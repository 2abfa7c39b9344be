internal import SystemCalls
internal import SystemPackage

/// The nodes of mapped devices in `/dev/mapper`, for machines on which no udevd makes links there.
public enum MapperNode {
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

    private static let directory: FilePath = "/dev/mapper"

    private static func path(_ name: String) -> FilePath? {
        FilePath.Component(name).map { directory.appending($0) }
    }

    /// Makes the node of a device, unless it is there.
    ///
    /// - Parameters:
    ///   - name: The device's name as the kernel has it.
    ///   - number: The device.
    ///   - owner: Its owner and mode if it is made.
    /// - Returns: Whether it was made.
    @discardableResult
    public static func make(
        _ name: String, _ number: DeviceNumber, _ owner: Owner
    ) throws(DeviceMapperError) -> Bool {
        guard let path = path(name) else {
            throw DeviceMapperError(.invalidName, attempt: "make a node for", device: name)
        }
        // A path that cannot be examined is made anew.
        if let present = try? Stat(path), present.type == .blockSpecial,
            DeviceNumber(present.specialDeviceID) == number
        {
            return false
        }
        do {
            // Nothing is there, most of the time.
            _ = try? systemCall { unsafe unlink(path.string) }
            try systemCall { unsafe mknod(path.string, S_IFBLK | owner.mode, dev_t(number.encoded)) }
            try systemCall { unsafe chown(path.string, owner.user, owner.group) }
            try systemCall { unsafe chmod(path.string, owner.mode) }
            return true
        } catch {
            throw DeviceMapperError(.failed, attempt: "make the node", device: path.string, errno: error)
        }
    }

    /// Removes the node of a device that has gone.
    ///
    /// - Returns: Whether there was one.
    @discardableResult
    public static func remove(_ name: String) -> Bool {
        // A node that is missing needs no removal, and a node in the way is replaced when it is needed.
        guard let path = path(name), (try? Stat(path, followTargetSymlink: false))?.type == .blockSpecial else {
            return false
        }
        // As above.
        return (try? systemCall { unsafe unlink(path.string) }) != nil
    }

    /// Gives the node of a device its new name.
    public static func rename(_ name: String, to newName: String) {
        guard let path = path(name), let newPath = self.path(newName) else { return }
        // Without the old node there is nothing to rename.
        _ = try? systemCall { unsafe SystemCalls.rename(path.string, newPath.string) }
    }

    /// Removes the nodes of all mapped devices but those with these names.
    ///
    /// - Returns: The names of the nodes that were removed.
    @discardableResult
    public static func removeAll(except names: Set<String>) -> [String] {
        guard let stream = unsafe opendir(directory.string) else { return [] }
        defer { unsafe closedir(stream) }
        var found: [String] = []
        while let entry = unsafe readdir(stream) {
            found.append(
                unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                    unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
                })
        }
        return found.sorted().filter { $0 != "control" && !names.contains($0) && remove($0) }
    }
}
