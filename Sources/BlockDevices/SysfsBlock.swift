package import DeviceMapper
package import SystemPackage

/// The facts about block devices that the kernel has below `/sys`.
package enum SysfsBlock {
    /// The directory of all disks, whose partitions are directories below theirs.
    static let disks: FilePath = "/sys/block"

    /// A device's directory, which exists as long as the device does.
    package static func directory(of number: DeviceNumber) -> FilePath {
        FilePath("/sys/dev/block").appending(number.description)
    }

    /// Has the kernel complete flushes of a device without handing them to the device, for as long as the device exists.
    ///
    /// The file is `queue/write_cache` of Documentation/ABI/stable/sysfs-block: a device that writes through has no cache to
    /// flush.
    package static func dropFlushes(of number: DeviceNumber) throws {
        let file = try FileDescriptor.open(
            directory(of: number).appending("queue/write_cache"), .writeOnly, options: .closeOnExec)
        _ = try file.closeAfter { try file.writeAll("write through".utf8) }
    }

    /// The number of the device that a directory is about.
    static func number(in directory: FilePath) throws(Errno) -> DeviceNumber {
        guard let number = DeviceNumber(try PseudoFile.readLine(directory.appending("dev"))) else {
            throw .invalidArgument
        }
        return number
    }

    /// The name of the device's node below `/dev`, which may have slashes in it.
    package static func nodeName(in directory: FilePath) throws(Errno) -> String {
        let text = String(decoding: try PseudoFile.read(directory.appending("uevent")), as: UTF8.self)
        let key = "DEVNAME="
        guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(key) }), line.count > key.count else {
            throw .noSuchFileOrDirectory
        }
        return String(line.dropFirst(key.count))
    }
}
