internal import BlockDevices
internal import DeviceMapper
internal import SystemPackage

/// The settings in lvm2's configuration that say which devices lvm2 may use.
///
/// A machine may see disks whose volume groups are not its own: those of guests, of other machines, and the paths of a
/// multipath device. lvm2 is kept from them by these settings, and so is this program.
struct DeviceRules {
    private let list: DevicesFile?
    private let filters: [DeviceFilter]
    private let directories: [FilePath]?
    private let types: DeviceTypes
    private let aliases: DeviceAliases?
    private let detectsMultipath: Bool
    private let detectsRAID: Bool

    /// Reads the settings of a configuration.
    ///
    /// - Throws: ``LogicalVolumeError/Code/failed`` when one cannot be understood.
    init(_ configuration: LVMConfiguration) throws(LogicalVolumeError) {
        list = try DevicesFile(configuration)
        // With a list of devices lvm2 does not look at the filters.
        var filters: [DeviceFilter] = []
        for name in ["global_filter", "filter"] where list == nil {
            if let filter = try DeviceFilter(configuration, name) { filters.append(filter) }
        }
        self.filters = filters
        let scanned = configuration.texts("devices", "scan")?.map { FilePath($0) }
        directories = scanned == ["/dev"] ? nil : scanned
        types = DeviceTypes(configuration)
        aliases = filters.isEmpty && directories == nil ? nil : DeviceAliases(in: scanned ?? ["/dev"])
        detectsMultipath = configuration.isOn("devices", "multipath_component_detection") ?? true
        detectsRAID = configuration.isOn("devices", "md_component_detection") ?? true
    }

    /// Why a device is left out, before it is opened; `nil` when it is not.
    func exclusion(of device: ScannedDevice) -> String? {
        if let type = types.exclusion(of: device.number) { return type }
        if let list, !list.mayName(device) { return list.reason }
        let names = aliases?.paths(of: device) ?? []
        if directories != nil, names.isEmpty { return "devices/scan names no directory with it" }
        for filter in filters where !filter.accepts(names.isEmpty ? ["/dev/\(device.kernelName)"] : names) {
            return filter.name
        }
        return detectsMultipath ? Self.multipath(device) : nil
    }

    /// Why a device would be left out once it has the label of a physical volume; `nil` when it would not.
    func exclusion(ofNew device: ScannedDevice, label: PhysicalVolumeLabel?) -> String? {
        if let list, !list.names(device, label?.id) { return list.reason }
        return exclusion(of: device)
    }

    /// Why a device with a label is left out; `nil` when it is not.
    func exclusion(of device: ScannedDevice, _ found: PhysicalVolumeDevice) throws -> String? {
        if let list, !list.names(device, found.label.id) { return list.reason }
        if detectsRAID, try RAIDSuperblock.isPresent(on: found.storage) {
            return "it is a part of a RAID array, which must be assembled"
        }
        return nil
    }

    /// Why a device is left out that is one of several paths to a disk.
    private static func multipath(_ device: ScannedDevice) -> String? {
        let holders = (try? DirectoryListing.names(in: device.disk.appending("holders"))) ?? []
        for holder in holders {
            let uuid = try? PseudoFile.readLine(device.disk.appending("holders").appending(holder).appending("dm/uuid"))
            if uuid?.hasPrefix("mpath-") == true { return "it is a path of the multipath device \(holder)" }
        }
        return nil
    }
}

/// The types of devices that lvm2 knows, by the names of their drivers in `/proc/devices`.
private struct DeviceTypes {
    /// lvm2's own list; each also stands for the names that begin with it.
    private static let known = [
        "sd", "ide", "md", "loop", "ramdisk", "device-mapper", "dasd", "dac960", "nbd", "ida", "cciss", "ubd",
        "ataraid",
        "drbd", "rbd", "emcpower", "power2", "i2o_block", "iseries/vd", "gnbd", "aoe", "xvd", "vdisk", "ps3disk",
        "virtblk",
        "mmc", "blkext", "fio", "mtip32xx", "vtms", "skd", "scm", "bcache", "nvme", "zvol", "VxDMP",
    ]

    /// The drivers of block devices by their major numbers; empty without `/proc`.
    private let drivers: [UInt32: String]
    private let names: [String]

    init(_ configuration: LVMConfiguration) {
        var names = Self.known
        if case .list(let values)? = configuration.value("devices", "types") {
            names += values.compactMap { if case .string(let name) = $0 { name } else { nil } }
        }
        self.names = names
        let lines = ((try? PseudoFile.readLine("/proc/devices")) ?? "").split(
            separator: "\n", omittingEmptySubsequences: false)
        var drivers: [UInt32: String] = [:]
        for line in lines.drop(while: { $0 != "Block devices:" }).dropFirst() {
            let words = line.split(separator: " ")
            if words.count == 2, let major = UInt32(words[0]) { drivers[major] = String(words[1]) }
        }
        self.drivers = drivers
    }

    func exclusion(of number: DeviceNumber) -> String? {
        guard let driver = drivers[number.major], !names.contains(where: driver.hasPrefix) else { return nil }
        return "lvm2 does not use devices of the type \(driver)"
    }
}

/// All paths that lead to devices.
private struct DeviceAliases {
    private var paths: [DeviceNumber: [String]] = [:]

    /// Finds the block devices and the links to them below some directories.
    init(in directories: [FilePath]) {
        for directory in directories {
            guard let status = try? Stat(directory) else { continue }
            visit(directory, on: status.deviceID, depth: 0)
        }
    }

    private mutating func visit(_ directory: FilePath, on filesystem: DeviceID, depth: Int) {
        // lvm2 goes into every directory; /dev has no deeper ones, and other file systems there hold what any user may make.
        guard depth < 8 else { return }
        for name in (try? DirectoryListing.names(in: directory)) ?? [] {
            let path = directory.appending(name)
            guard let link = try? Stat(path, followTargetSymlink: false) else { continue }
            if link.type == .directory {
                if link.deviceID == filesystem { visit(path, on: filesystem, depth: depth + 1) }
            } else if let target = try? Stat(path), target.type == .blockSpecial {
                paths[DeviceNumber(target.specialDeviceID), default: []].append(path.string)
            }
        }
    }

    func paths(of device: ScannedDevice) -> [String] { paths[device.number] ?? [] }
}
