/// The words that lvm2 writes into `status`.
///
/// lvm2 refuses a text with another word there, because it changes what the text means, and so does this program. It
/// ignores words in `flags` that it does not know.
private enum StatusWords {
    static let ofGroup: Set = [
        "RESIZEABLE", "READ", "WRITE", "EXPORTED", "PVMOVE", "CLUSTERED", "SHARED", "PARTIAL",
    ]
    static let ofPhysicalVolume: Set = ["ALLOCATABLE", "EXPORTED", "MISSING"]
    static let ofLogicalVolume: Set = [
        "READ", "WRITE", "VISIBLE", "FIXED_MINOR", "PVMOVE", "LOCKED", "NOTSYNCED", "REBUILD", "WRITEMOSTLY",
        // Older versions of lvm2 wrote these into the status, and newer ones elsewhere.
        "CACHE_VOL", "CONVERTING", "RESHAPE", "RESHAPE_DATA_OFFSET", "RESHAPE_DELTA_DISKS_PLUS",
        "RESHAPE_DELTA_DISKS_MINUS", "REMOVE_AFTER_RESHAPE",
    ]
    /// Words of logical volumes that lvm2 is in the middle of a change of.
    static let ofChanges: Set = ["LOCKED", "PVMOVE", "CONVERTING"]
}

extension VolumeGroup {
    /// Why no machine may use a group without lvm2.
    static func refusal(
        _ section: ConfigurationSection, _ physical: [PhysicalVolume], _ logical: [LogicalVolume],
        _ remainder: [ConfigurationNode]
    ) throws(LogicalVolumeError) -> String? {
        let status = try section.words("status")
        if let version = remainder.first(where: { $0.name == "version" })?.value, version != .number(1) {
            return "its text is of another version than 1"
        }
        if let format = try section.stringIfPresent("format"), format != "lvm2" {
            return "it is of the format \(format)"
        }
        if status.contains("EXPORTED") || physical.contains(where: { $0.status.contains("EXPORTED") }) {
            return "it is exported, so that another machine can import it. If it is to be used here, “vgimport "
                + "\(section.path)” says so"
        }
        if let word = status.first(where: { ["CLUSTERED", "SHARED"].contains($0) }) {
            return
                "several machines share it as a cluster (its status is \(word)), and only lvm2 with the cluster's locks "
                + "can tell whether another machine uses it"
        }
        let lockType = try section.stringIfPresent("lock_type")
        if let lockType, lockType != "none" {
            return "several machines share it (lock_type is \(lockType)), and only lvm2 with lvmlockd can tell whether "
                + "another machine uses it"
        }
        if lockType == nil, section.has("lock_args") {
            return "it has lock_args without a lock_type, so it cannot be told whether several machines share it"
        }
        if try status.union(section.words("flags")).contains("PARTIAL") {
            return "its text was written while physical volumes were missing (its status is PARTIAL)"
        }
        return unknownWord(status, physical, logical).map { place, word in
            "\(place) has the status \(word), which this version of the program does not know; a newer lvm2 has made it"
        }
    }

    private static func unknownWord(
        _ status: Set<String>, _ physical: [PhysicalVolume], _ logical: [LogicalVolume]
    ) -> (place: String, word: String)? {
        if let word = status.subtracting(StatusWords.ofGroup).first { return ("it", word) }
        for volume in physical {
            if let word = volume.status.subtracting(StatusWords.ofPhysicalVolume).first {
                return ("its physical volume \(volume.id)", word)
            }
        }
        for volume in logical {
            if let word = volume.status.subtracting(StatusWords.ofLogicalVolume).first {
                return ("its logical volume \(volume.name)", word)
            }
        }
        return nil
    }

    /// Why a group that may be used must not be changed.
    static func obstacle(
        _ section: ConfigurationSection, _ physical: [PhysicalVolume], _ logical: [LogicalVolume]
    ) throws(LogicalVolumeError) -> String? {
        var status = try section.words("status")
        // A group with a system id has this flag instead of the status WRITE, so that versions of lvm2 that do not know
        // system ids do not write to it.
        if try section.words("flags").contains("WRITE_LOCKED") { status.insert("WRITE") }
        guard status.isSuperset(of: ["RESIZEABLE", "READ", "WRITE"]) else {
            return "it is not resizeable and writable (its status is \(status.sorted().joined(separator: ", ")))"
        }
        if status.contains("PVMOVE") { return "its status is PVMOVE: lvm2 is in the middle of a change" }
        if let missing = physical.first(where: \.isMissing) {
            return "its physical volume \(missing.id) is marked as missing"
        }
        for volume in logical {
            if let change = volume.unfinishedChange { return change }
            for segment in volume.segments {
                if case .other(let type) = segment.kind {
                    return "its logical volume \(volume.name) is of the type \(type), whose extents lvm2 alone knows"
                }
            }
        }
        return nil
    }

    /// Refuses to activate a pool that lvm2 would not activate either, or not as it is written.
    ///
    /// - Parameters:
    ///   - pool: The pool.
    ///   - parts: The logical volumes of its data and metadata.
    /// - Throws: ``LogicalVolumeError/Code/unsupported``.
    func requireActivatable(_ pool: LogicalVolume, parts: [LogicalVolume]) throws(LogicalVolumeError) {
        let advice = "; lvm2 must do it: “lvchange -ay \(name)/\(pool.name)”"
        func refused(_ why: String) -> LogicalVolumeError {
            LogicalVolumeError(.unsupported, "the pool \(name)/\(pool.name) is not activated here: \(why)")
        }
        for volume in [pool] + parts {
            if let change = volume.unfinishedChange { throw refused(change + advice) }
            guard volume.isWritable else {
                throw refused("its logical volume \(volume.name) may only be read (“lvchange -prw” changes that)")
            }
        }
        // The flag stands for a person's decision, and lvm2 has an option of its own to act against it.
        guard !pool.flags.contains("ACTIVATION_SKIP") else {
            throw refused("it has the flag to be left out (“lvchange -kn \(name)/\(pool.name)” takes it away)")
        }
        for volume in parts {
            for segment in volume.segments {
                guard case .striped(let areas, _) = segment.kind else { continue }
                for area in areas where physicalVolumes.first(where: { $0.name == area.name })?.isMissing == true {
                    throw refused(
                        "a part of it is on the physical volume \(area.name), which is marked as missing because the group "
                            + "was changed without it. If its content is current, “vgextend --restoremissing \(name) DEVICE” "
                            + "says so")
                }
            }
        }
    }
}

extension LogicalVolume {
    /// The change that lvm2 has begun and not finished, in words; `nil` where there is none.
    fileprivate var unfinishedChange: String? {
        if let word = status.first(where: StatusWords.ofChanges.contains) {
            return "its logical volume \(name) is \(word): lvm2 is in the middle of a change"
        }
        if thinPool?.hasMessages == true {
            return "lvm2 has messages for its thin pool \(name) that were not sent: it is in the middle of a change"
        }
        return nil
    }

    /// Whether its device takes writes.
    fileprivate var isWritable: Bool { status.contains("WRITE") || flags.contains("WRITE_LOCKED") }
}
