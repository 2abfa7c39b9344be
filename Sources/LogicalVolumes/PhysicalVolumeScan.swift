internal import BlockDevices
internal import DeviceMapper
internal import SystemPackage

/// Looks for physical volumes on all block devices of the machine.
enum PhysicalVolumeScan {
    private static let disks: FilePath = "/sys/block"

    /// The physical volumes that are there, and what is wrong with devices that look like some.
    static func run() throws -> (devices: [PhysicalVolumeDevice], damage: [String]) {
        let names: [FilePath.Component]
        do {
            names = try DirectoryListing.names(in: disks).sorted { $0.string < $1.string }
        } catch {
            throw LogicalVolumeError(.failed, "cannot list \(disks): \(error)")
        }
        var found: [PhysicalVolumeDevice] = []
        var damage: [String] = []
        for name in names where mayHoldOne(name.string) {
            let directory = disks.appending(name)
            let partitions = ((try? DirectoryListing.names(in: directory)) ?? []).map { directory.appending($0) }
                .filter { (try? Stat($0.appending("partition"))) != nil }
            for candidate in [directory] + partitions {
                do {
                    if let device = try open(candidate) { found.append(device) }
                } catch let error as LogicalVolumeError {
                    damage.append("/dev/\(candidate.lastComponent?.string ?? ""): \(error)")
                } catch {
                    // A device that cannot be read, such as an empty drive, is none that is looked for.
                    continue
                }
            }
        }
        return (try withoutComponents(found), damage)
    }

    /// Whether a device is one that lvm2 would look at too: no other logical volumes, and nothing that reading could
    /// hang on.
    private static func mayHoldOne(_ name: String) -> Bool {
        guard
            !["ram", "zram", "sr", "fd"].contains(where: {
                name.hasPrefix($0) && name.dropFirst($0.count).allSatisfy(\.isNumber)
            })
        else { return false }
        let directory = disks.appending(name)
        guard let uuid = try? PseudoFile.readLine(directory.appending("dm/uuid")) else { return true }
        if (try? PseudoFile.readLine(directory.appending("dm/suspended"))) != "0" { return false }
        // Docker's devices have no uuid, and names of its own.
        let isDockers =
            uuid.isEmpty
            && (try? PseudoFile.readLine(directory.appending("dm/name")))?.hasPrefix("docker-") == true
        return !uuid.hasPrefix("LVM-") && !uuid.hasPrefix("DMLAYER-") && !isDockers
    }

    private static func open(_ directory: FilePath) throws -> PhysicalVolumeDevice? {
        guard let number = DeviceNumber(try PseudoFile.readLine(directory.appending("dev"))),
            try PseudoFile.readLine(directory.appending("size")) != "0"
        else { return nil }
        let path = try DeviceNode.path(of: number)
        let device = try BlockDevice(path, .readOnly)
        guard device.number == number, let label = try PhysicalVolumeLabel.read(device) else { return nil }
        return PhysicalVolumeDevice(device, path: path.string, number: number, label: label)
    }

    /// Of several devices with the same label, the one that is built on the others: a RAID array or a multipath device
    /// shows what its parts have too.
    private static func withoutComponents(_ devices: [PhysicalVolumeDevice]) throws -> [PhysicalVolumeDevice] {
        var kept: [PhysicalVolumeDevice] = []
        for device in devices {
            guard let number = device.number else { continue }
            let twins = devices.filter { $0.label.id == device.label.id && $0.number != number }
            let holders = twins.isEmpty ? [] : try DeviceHolder.holders(of: number).map(\.number)
            if twins.contains(where: { twin in holders.contains { $0 == twin.number } }) { continue }
            kept.append(device)
        }
        for (index, device) in kept.enumerated() {
            guard let twin = kept[..<index].first(where: { $0.label.id == device.label.id }) else { continue }
            throw LogicalVolumeError(
                .ambiguous,
                "\(twin.path) and \(device.path) are both the physical volume \(device.label.id): one is a copy of the "
                    + "other. Take the copy away, or give it another uuid with “vgimportclone”")
        }
        return kept
    }
}

extension VolumeGroupMetadata {
    /// Finds a volume group on the devices of the machine.
    ///
    /// - Throws: ``LogicalVolumeError/Code/notFound``, ``LogicalVolumeError/Code/ambiguous``.
    public static func find(_ name: String) throws -> VolumeGroupMetadata {
        let (devices, damagedLabels) = try PhysicalVolumeScan.run()
        let (groups, damagedTexts) = read(from: devices)
        let matching = groups.filter { $0.group.name == name }
        guard matching.count < 2 else {
            throw LogicalVolumeError(
                .ambiguous,
                "there are \(matching.count) volume groups named \(name), with the uuids "
                    + matching.map(\.group.id.description).joined(separator: " and ")
                    + "; rename one with “vgrename UUID NAME”")
        }
        guard let metadata = matching.first else {
            let damage = damagedLabels + damagedTexts
            throw LogicalVolumeError(
                damage.isEmpty ? .notFound : .damagedMetadata,
                "no device has the volume group \(name)"
                    + (damage.isEmpty ? "" : ", and of some it cannot be told: " + damage.joined(separator: "; ")))
        }
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
