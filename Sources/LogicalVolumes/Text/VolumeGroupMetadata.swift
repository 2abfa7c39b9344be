internal import SystemCalls

/// A volume group with its devices and the places of its text.
public struct VolumeGroupMetadata: Sendable {
    /// The group as the text in force describes it.
    public private(set) var group: VolumeGroup
    /// The devices of the group that were found, by the uuids of their physical volumes.
    public internal(set) var devices: [LVMIdentifier: PhysicalVolumeDevice]
    /// The faults of single copies of the text; the group can be read all the same.
    public let damage: [String]

    /// Why this machine must neither activate nor change the group, if there is a reason; it can be read all the same.
    ///
    /// Another machine may use the group, or it is not certain which of several texts about it is true.
    public let refusal: String?

    private var text: [UInt8]
    private var areas: [MetadataArea]

    /// Takes the group that the newest of its texts describes.
    init(
        _ group: VolumeGroup, text: [UInt8], on devices: [PhysicalVolumeDevice], damage: [String], refusal: String?
    ) {
        self.group = group
        self.text = text
        self.damage = damage
        self.refusal = refusal
        self.devices = [:]
        areas = []
        for device in devices {
            self.devices[device.label.id] = device
            // An area that cannot be read is among the damage already.
            areas += device.label.metadataAreas.compactMap { try? MetadataArea($0, on: device.storage) }
        }
        areas.removeAll { $0.header.isIgnored }
    }

    /// Refuses to use a group that another machine may use.
    ///
    /// Every activation and every change comes through here.
    ///
    /// - Throws: ``LogicalVolumeError/Code/refusedGroup``.
    func requireOurs() throws(LogicalVolumeError) {
        guard let refusal else { return }
        let places = devices.values.map(\.path).sorted().joined(separator: ", ")
        throw LogicalVolumeError(
            .refusedGroup,
            "the volume group \(group.name) on \(places) is neither activated nor changed here: \(refusal)")
    }

    /// Begins a new group on one physical volume that no group has; nothing is written yet.
    init(new group: VolumeGroup, on device: PhysicalVolumeDevice) throws {
        self.group = group
        text = []
        damage = []
        refusal = group.refusal
        devices = [device.label.id: device]
        areas = try device.label.metadataAreas.map { try MetadataArea($0, on: device.storage) }
    }

    /// Reads the metadata areas again, on devices that have been opened anew.
    mutating func reopenAreas() throws {
        areas = try devices.values.flatMap { device in
            try device.label.metadataAreas.map { try MetadataArea($0, on: device.storage) }
        }.filter { !$0.header.isIgnored }
    }

    /// The device of a physical volume.
    ///
    /// - Throws: ``LogicalVolumeError/Code/missingDevice``.
    func device(of physical: PhysicalVolume) throws(LogicalVolumeError) -> PhysicalVolumeDevice {
        guard let device = devices[physical.id] else {
            let hint = physical.deviceHint.map { ", which was \($0) once," } ?? ""
            throw LogicalVolumeError(
                .missingDevice,
                "no device has the physical volume \(physical.id)\(hint) of the volume group \(group.name); attach its disk"
            )
        }
        return device
    }

    // MARK: Changing

    /// Puts another state of the group in force, on all of its devices.
    ///
    /// The text is written to every metadata area and noted there as one that is about to be in force, and only then put
    /// in force. Whenever the power is lost, the devices have the old group or the new one: the text with the highest
    /// number counts, and the next change begins with ``completeCopies()``.
    ///
    /// - Parameters:
    ///   - changed: The new state, made of ``group``.
    ///   - added: The devices of physical volumes that are new in it.
    ///   - description: The change in words, for readers of the text.
    /// - Throws: ``LogicalVolumeError/Code/refusedChange``, ``LogicalVolumeError/Code/missingDevice``,
    ///   ``LogicalVolumeError/Code/noSpace``, or the errors of writing.
    mutating func commit(
        _ changed: VolumeGroup, adding added: [PhysicalVolumeDevice] = [], description: String
    ) throws {
        try requireOurs()
        try changed.requireChangeable()
        try completeCopies()
        var next = areas
        for device in added {
            next += try device.label.metadataAreas.map { try MetadataArea($0, on: device.storage) }
        }
        guard !next.isEmpty else {
            throw LogicalVolumeError(
                .refusedChange, "no physical volume of the volume group \(group.name) keeps its text in use")
        }
        let newText = changed.text(
            description: description, host: Self.hostName, time: UInt64(clamping: time(nil)))
        let written = try VolumeGroup(parsing: newText)
        for index in next.indices { try next[index].precommit(newText) }
        for index in next.indices { try next[index].commit() }
        group = written
        text = newText
        areas = next
        for device in added { devices[device.label.id] = device }
        try markDevices()
    }

    /// Ends what a loss of power interrupted: brings copies that were left behind up to date, and marks the labels of
    /// devices that a group has.
    ///
    /// - Throws: ``LogicalVolumeError/Code/refusedChange``, ``LogicalVolumeError/Code/missingDevice``, or what writing
    ///   throws.
    mutating func completeCopies() throws {
        try requireOurs()
        try group.requireChangeable()
        guard damage.isEmpty else {
            throw LogicalVolumeError(
                .refusedChange,
                "the volume group \(group.name) is not changed while a copy of its text is damaged: "
                    + damage.joined(separator: "; ") + ". Repair it with lvm2: “vgck --updatemetadata \(group.name)”, "
                    + "or “pvck --repair”")
        }
        for physical in group.physicalVolumes { _ = try device(of: physical) }
        // A new group is in force nowhere yet, and its device is nobody's until it is.
        guard !text.isEmpty else { return }
        for index in areas.indices where try areas[index].committedText() != text {
            try areas[index].precommit(text)
            try areas[index].commit()
        }
        try markDevices()
    }

    private func markDevices() throws {
        for device in devices.values { try device.label.markUsed(on: device.storage) }
    }

    /// The name of this machine, as lvm2 notes it.
    static var hostName: String {
        var names = utsname()
        guard unsafe uname(&names) == 0 else { return "" }
        return unsafe withUnsafeBytes(of: names.nodename) { bytes in
            unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
