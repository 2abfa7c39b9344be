internal import SystemPackage

/// lvm2's `activation/volume_list`: which logical volumes may be activated on this machine.
///
/// Clusters that share disks without locks use it, so that a group is active on one machine at a time.
struct ActivationList {
    private let entries: [String]
    private let hostTags: Set<String>
    private let place: String

    /// Reads the setting; `nil` when it is not made, and every volume may be activated.
    init?(_ configuration: LVMConfiguration) {
        guard let entries = configuration.texts("activation", "volume_list") else { return nil }
        self.entries = entries
        place = configuration.directory.string
        let host = VolumeGroupMetadata.hostName
        var tags: Set<String> = configuration.isOn("tags", "hosttags") == true ? [host] : []
        for (name, nodes) in configuration.sections(in: "tags") {
            let hosts = nodes.last { $0.name == "host_list" }?.value
            if hosts == nil || hosts == .string(host) { tags.insert(name) }
            if case .list(let names)? = hosts, names.contains(.string(host)) { tags.insert(name) }
        }
        hostTags = tags
    }

    /// Refuses a volume that is not in the list.
    ///
    /// - Throws: ``LogicalVolumeError/Code/excludedDevice``.
    func require(_ volume: LogicalVolume, of group: VolumeGroup) throws(LogicalVolumeError) {
        let tags = volume.tags.union(group.tags)
        let isListed = entries.contains { entry in
            if entry == "@*" { return !tags.isDisjoint(with: hostTags) }
            if entry.hasPrefix("@") { return tags.contains(String(entry.dropFirst())) }
            return entry == group.name || entry == "\(group.name)/\(volume.name)"
        }
        guard !isListed else { return }
        throw LogicalVolumeError(
            .excludedDevice,
            "the pool \(group.name)/\(volume.name) is not activated, because activation/volume_list in lvm2's configuration in "
                + "\(place) does not list it")
    }
}
