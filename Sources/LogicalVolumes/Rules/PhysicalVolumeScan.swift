internal import BlockDevices
internal import DeviceMapper
internal import SystemCalls
internal import SystemPackage

/// A block device on which a physical volume may be, with its attributes in sysfs.
struct ScannedDevice {
    /// Its directory below `/sys`.
    let directory: FilePath
    let number: DeviceNumber
    /// The number of the partition, if it is one.
    let partition: Int?

    /// The kernel's name, `sda1`.
    var kernelName: String { directory.lastComponent?.string ?? "" }

    /// The directory of the disk that it is a partition of, or its own.
    var disk: FilePath { partition == nil ? directory : directory.removingLastComponent() }

    /// The text of a file below its directory, without the newline; `nil` where the file cannot be read.
    func attribute(_ path: String) -> String? { try? PseudoFile.readLine(directory.appending(path)) }
}

/// Looks for physical volumes on all block devices of the machine.
struct PhysicalVolumeScan {
    /// The physical volumes that were found; several of them may have the same label.
    private(set) var devices: [PhysicalVolumeDevice] = []
    /// The faults of devices that look like physical volumes.
    private(set) var damage: [String] = []
    /// The devices that lvm2's configuration leaves out, with the reasons.
    private(set) var excluded: [String] = []

    private static let disks: FilePath = "/sys/block"

    /// Looks at the devices that lvm2's configuration does not leave out.
    init(_ configuration: LVMConfiguration) throws {
        let names: [FilePath.Component]
        do {
            names = try DirectoryListing.names(in: Self.disks).sorted { $0.string < $1.string }
        } catch {
            throw LogicalVolumeError(.failed, "cannot list \(Self.disks): \(error)")
        }
        let rules = try DeviceRules(configuration)
        for name in names where Self.mayHoldOne(Self.disks.appending(name)) {
            let directory = Self.disks.appending(name)
            let partitions = ((try? DirectoryListing.names(in: directory)) ?? []).map { directory.appending($0) }
                .filter { (try? Stat($0.appending("partition"))) != nil }
            for candidate in [directory] + partitions { look(at: candidate, rules) }
        }
        devices = try Self.withoutComponents(devices)
    }

    private mutating func look(at directory: FilePath, _ rules: DeviceRules) {
        let path = "/dev/\(directory.lastComponent?.string ?? "")"
        do {
            guard let device = try Self.scanned(directory) else { return }
            if let reason = rules.exclusion(of: device) {
                excluded.append("\(path) (\(reason))")
                return
            }
            guard let found = try Self.open(device) else { return }
            if let reason = try rules.exclusion(of: device, found) {
                excluded.append("\(path) (\(reason))")
                return
            }
            devices.append(found)
        } catch let error as LogicalVolumeError {
            damage.append("\(path): \(error)")
        } catch {
            // A device that cannot be read, such as an empty drive, is none that is looked for.
            return
        }
    }

    /// Whether a device is one that lvm2 would look at too: no other logical volumes, and nothing that reading could
    /// hang on.
    private static func mayHoldOne(_ directory: FilePath) -> Bool {
        guard let uuid = try? PseudoFile.readLine(directory.appending("dm/uuid")) else { return true }
        if (try? PseudoFile.readLine(directory.appending("dm/suspended"))) != "0" { return false }
        // Docker's devices have no uuid, and names of its own.
        let isDockers =
            uuid.isEmpty
            && (try? PseudoFile.readLine(directory.appending("dm/name")))?.hasPrefix("docker-") == true
        return !uuid.hasPrefix("LVM-") && !uuid.hasPrefix("DMLAYER-") && !isDockers
    }

    /// Reads a device's attributes from sysfs; `nil` when the device has no size.
    static func scanned(_ directory: FilePath) throws -> ScannedDevice? {
        guard let number = DeviceNumber(try PseudoFile.readLine(directory.appending("dev"))),
            try PseudoFile.readLine(directory.appending("size")) != "0"
        else { return nil }
        let partition = (try? PseudoFile.readLine(directory.appending("partition"))).flatMap { Int($0) }
        return ScannedDevice(directory: directory, number: number, partition: partition)
    }

    /// Reads the attributes of the device with a number from sysfs; `nil` when the device has no size.
    static func scanned(_ number: DeviceNumber) throws -> ScannedDevice? {
        // The link leads to the device's place below its disk.
        let resolved = try unsafe pointerCall { unsafe realpath("/sys/dev/block/\(number)", nil) }
        guard let place = unsafe resolved else { return nil }
        defer { unsafe free(place) }
        return try scanned(unsafe FilePath(platformString: place))
    }

    private static func open(_ scanned: ScannedDevice) throws -> PhysicalVolumeDevice? {
        let path = try DeviceNode.path(of: scanned.number)
        let device = try BlockDevice(path, .readOnly)
        guard device.number == scanned.number, let label = try PhysicalVolumeLabel.read(device) else { return nil }
        return PhysicalVolumeDevice(device, path: path.string, number: scanned.number, label: label)
    }

    /// Of several devices with the same label, the one that is built on the others: a RAID array or a multipath device
    /// shows what its parts have too.
    private static func withoutComponents(_ devices: [PhysicalVolumeDevice]) throws -> [PhysicalVolumeDevice] {
        let twins = Dictionary(grouping: devices, by: \.label.id).filter { $0.value.count > 1 }
        return try devices.filter { device in
            guard let number = device.number, let twins = twins[device.label.id] else { return true }
            let holders = try DeviceHolder.holders(of: number).map(\.number)
            return !twins.contains { twin in holders.contains { $0 == twin.number } }
        }
    }

    /// Refuses a group one of whose physical volumes is there twice.
    ///
    /// Another group may have such copies: the disks of two guests that were made from the same image.
    ///
    /// - Throws: ``LogicalVolumeError/Code/ambiguous``.
    func requireNoCopies(of group: VolumeGroup) throws(LogicalVolumeError) {
        for physical in group.physicalVolumes {
            let copies = devices.filter { $0.label.id == physical.id }.map(\.path)
            guard copies.count > 1 else { continue }
            throw LogicalVolumeError(
                .ambiguous,
                "\(copies.joined(separator: " and ")) are all the physical volume \(physical.id) of the volume group "
                    + "\(group.name): one is a copy of the other. Detach the copy, leave it out with devices/global_filter in "
                    + "\(LVMConfiguration.directory.appending("lvm.conf")), or give it another uuid with “vgimportclone”"
            )
        }
    }
}

extension VolumeGroupMetadata {
    /// Finds a volume group on the devices of the machine that lvm2's configuration does not leave out.
    ///
    /// - Parameters:
    ///   - name: Its name.
    ///   - id: Its uuid where that is known: a group of another uuid is then not taken, and none of the same name is in the
    ///     way.
    /// - Throws: ``LogicalVolumeError/Code/notFound``, ``LogicalVolumeError/Code/ambiguous``.
    public static func find(_ name: String, id: LVMIdentifier? = nil) throws -> VolumeGroupMetadata {
        let configuration = try LVMConfiguration()
        let scan = try PhysicalVolumeScan(configuration)
        let (groups, damagedTexts) = read(from: scan.devices, on: LVMSystem(configuration))
        let named = groups.filter { $0.group.name == name }
        let matching = id.map { id in named.filter { $0.group.id == id } } ?? named
        guard matching.count < 2 else {
            let places = matching.map { metadata in
                "\(metadata.group.id) on \(metadata.devices.values.map(\.path).sorted().joined(separator: ", "))"
            }
            throw LogicalVolumeError(
                .ambiguous,
                "there are \(matching.count) volume groups named \(name): \(places.joined(separator: "; ")). Rename one with "
                    + "“vgrename UUID NAME”; a disk of a guest is better left out, with devices/global_filter in "
                    + "\(configuration.directory.appending("lvm.conf"))")
        }
        guard let metadata = matching.first else {
            let damage = scan.damage + damagedTexts
            var reason =
                id.map { "no device has the volume group \(name) with the uuid \($0)" }
                ?? "no device has the volume group \(name)"
            if id != nil, let other = named.first {
                reason += "; one of that name has the uuid \(other.group.id), and is not the one that is meant"
            }
            if !damage.isEmpty { reason += ", and of some it cannot be told: " + damage.joined(separator: "; ") }
            if !scan.excluded.isEmpty {
                reason += "; lvm2's configuration leaves out \(scan.excluded.joined(separator: ", "))"
            }
            throw LogicalVolumeError(damage.isEmpty ? .notFound : .damagedMetadata, reason)
        }
        try scan.requireNoCopies(of: metadata.group)
        return metadata
    }

    /// A device again, for writing.
    mutating func reopenForWriting() throws {
        for (id, device) in devices {
            guard let number = device.number else { continue }
            let opened = try BlockDevice(try DeviceNode.path(of: number), .readWrite)
            guard opened.number == number, let label = try PhysicalVolumeLabel.read(opened), label.id == id else {
                throw LogicalVolumeError(.failed, "\(device.path) has become another device meanwhile; try again")
            }
            devices[id] = PhysicalVolumeDevice(opened, path: device.path, number: number, label: label)
        }
        try reopenAreas()
    }
}
