public import DeviceMapper
internal import SystemCalls
public import SystemPackage

/// The file under `/dev` that stands for a device.
public enum DeviceNode {
    /// The path of a block device's node, by the name that the kernel gives the device.
    ///
    /// Where the node is missing, as in a container whose `/dev` is no devtmpfs, it is made.
    ///
    /// - Parameter number: The number of a device that exists.
    /// - Throws: ``BlockDeviceError`` with the code `notFound` when no such device exists, or another when its node is
    ///   missing and cannot be made.
    public static func path(of number: DeviceNumber) throws(BlockDeviceError) -> FilePath {
        // The kernel's name for a mapped device. That the number is one only the node itself can tell.
        let mapped = FilePath("/dev/dm-\(number.minor)")
        if (try? isNode(mapped, of: number)) == true { return mapped }
        let directory = SysfsBlock.directory(of: number)
        guard let name = try? SysfsBlock.nodeName(in: directory) else {
            throw BlockDeviceError(.notFound, "find the device", FilePath(number.description), detail: "no such device")
        }
        let path = FilePath("/dev").appending(name)
        try make(path, for: number)
        return path
    }

    /// Makes a node, unless the path is one for this device already.
    ///
    /// The corresponding C function is `mknod`.
    ///
    /// - Parameters:
    ///   - path: Where the node is to be.
    ///   - number: The device that it stands for.
    /// - Throws: ``BlockDeviceError``, also when something else is at the path, which is left alone.
    public static func make(_ path: FilePath, for number: DeviceNumber) throws(BlockDeviceError) {
        if try isNode(path, of: number) { return }
        do {
            try systemCall {
                unsafe path.withPlatformString { unsafe mknod($0, S_IFBLK | 0o600, dev_t(number.encoded)) }
            }
        } catch {
            // Another process or the kernel's devtmpfs may have made the node first.
            if error == .fileExists, try isNode(path, of: number) { return }
            throw BlockDeviceError("make the device node", path, error)
        }
    }

    private static func isNode(_ path: FilePath, of number: DeviceNumber) throws(BlockDeviceError) -> Bool {
        let status: Stat
        do {
            status = try Stat(path)
        } catch {
            if error == .noSuchFileOrDirectory { return false }
            throw BlockDeviceError("examine", path, error)
        }
        guard status.type == .blockSpecial, DeviceNumber(status.specialDeviceID) == number else {
            throw BlockDeviceError(
                .notABlockDevice, "use", path, detail: "it should be the node of block device \(number), but is not")
        }
        return true
    }
}
