internal import SystemPackage

extension VolumeGroupMetadata {
    /// Reads the groups that some devices belong to.
    ///
    /// - Parameters:
    ///   - devices: The devices.
    ///   - system: This machine, to which a group may belong.
    /// - Returns: The groups, and what is wrong with texts that no group could be read from.
    public static func read(
        from devices: [PhysicalVolumeDevice], on system: LVMSystem = LVMSystem(id: nil)
    ) -> (groups: [VolumeGroupMetadata], damage: [String]) {
        var copies: [Copy] = []
        var damage: [(device: PhysicalVolumeDevice, what: String)] = []
        for device in devices {
            for place in device.label.metadataAreas {
                do {
                    let area = try MetadataArea(place, on: device.storage)
                    guard let text = try area.committedText() else { continue }
                    copies.append(Copy(device: device, area: area, text: text, group: try VolumeGroup(parsing: text)))
                } catch {
                    damage.append((device, "\(device.path): \(error)"))
                }
            }
        }
        var groups: [VolumeGroupMetadata] = []
        var explained: Set<LVMIdentifier> = []
        for id in copies.map(\.group.id).reduce(into: [LVMIdentifier](), { if !$0.contains($1) { $0.append($1) } }) {
            // A text on an area that is set aside is an old one.
            let texts = copies.filter { $0.group.id == id && !$0.area.header.isIgnored }
            guard let newest = texts.max(by: { $0.group.sequenceNumber < $1.group.sequenceNumber }) else { continue }
            let members = Dictionary(uniqueKeysWithValues: newest.group.physicalVolumes.map { ($0.id, $0) })
            explained.formUnion(members.keys)
            let present = devices.filter { members[$0.label.id] != nil }
            var problems = damage.filter { members[$0.device.label.id] != nil }.map(\.what)
            problems += present.compactMap { device in
                members[device.label.id].flatMap { physical in
                    do {
                        return try device.conflict(with: physical, extentSize: newest.group.extentSize)
                    } catch {
                        return "\(device.path): \(error)"
                    }
                }
            }
            if texts.contains(where: {
                $0.group.sequenceNumber == newest.group.sequenceNumber && $0.text != newest.text
            }) {
                problems.append(
                    "there are different texts with the number \(newest.group.sequenceNumber) about the volume group "
                        + newest.group.name)
            }
            let refusal =
                newest.group.refusal
                ?? system.refusal(ofGroup: newest.group.name, systemID: newest.group.systemID)
                ?? texts.lazy.compactMap { newest.claim(against: $0) }.first
            groups.append(
                VolumeGroupMetadata(
                    newest.group, text: newest.text, on: present, damage: problems, refusal: refusal))
        }
        return (groups, damage.filter { !explained.contains($0.device.label.id) }.map(\.what))
    }
}

/// A text about a group on one of its devices.
private struct Copy {
    let device: PhysicalVolumeDevice
    let area: MetadataArea
    let text: [UInt8]
    let group: VolumeGroup

    /// Why this text, which is newer, must not be taken in the place of an older one; `nil` when it follows from it.
    ///
    /// Without this rule a disk of another machine, which can hold any text with any number, could take the place of the
    /// group of this one.
    func claim(against older: Copy) -> String? {
        guard group.sequenceNumber > older.group.sequenceNumber else { return nil }
        // A change that was interrupted: the older device has noted the newer text as about to be in force.
        if let next = older.area.header.precommitted, next.checksum == MetadataChecksum.of(text + [0]) { return nil }
        // A device that was away while the group was changed: the newer text says so, and is on a device that belonged to
        // the group before.
        let wasAway = group.physicalVolumes.first { $0.id == older.device.label.id }.map(\.isMissing) ?? true
        if wasAway, older.group.physicalVolumes.contains(where: { $0.id == device.label.id }) { return nil }
        return "\(device.path) and \(older.device.path) have different texts about it, with the numbers "
            + "\(group.sequenceNumber) and \(older.group.sequenceNumber), and neither has been made from the other: one of "
            + "the two is a copy, or belongs to another machine, such as a guest. Leave its device out with "
            + "devices/global_filter in \(LVMConfiguration.directory.appending("lvm.conf")), or detach it"
    }
}
