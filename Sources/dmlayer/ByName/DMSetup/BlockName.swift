internal import BlockDevices
internal import DeviceMapper
internal import SystemPackage

/// The names of block devices, from sysfs.
enum BlockName {
    /// The kernel's name of a device, such as `dm-0`.
    static func kernel(_ number: DeviceNumber) -> String? {
        // A device that has gone has no name.
        try? SysfsBlock.nodeName(in: SysfsBlock.directory(of: number))
    }

    /// The major number of mapped devices.
    static var mapperMajor: UInt32? {
        // Without the file, the number of the command line is as good.
        guard let content = try? PseudoFile.read("/proc/devices") else { return nil }
        let lines = String(decoding: content, as: UTF8.self).split(separator: "\n")
        return lines.last { $0.hasSuffix(" device-mapper") }.flatMap {
            UInt32($0.drop { $0 == " " }.prefix { $0 != " " })
        }
    }

    /// The name of a mapped device.
    static func mapped(_ number: DeviceNumber) -> String? {
        // Only a mapped device has the file.
        try? PseudoFile.readLine(SysfsBlock.directory(of: number).appending("dm/name"))
    }
}
