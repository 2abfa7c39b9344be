internal import BlockDevices
internal import DeviceMapper
internal import SystemPackage

/// lvm2's devices file: a list of the devices that lvm2 may use, by what does not change when they get another name.
struct DevicesFile {
    private struct Entry {
        var type = ""
        var name = ""
        var physicalVolume: String?
        var partition: Int?
    }

    private let path: FilePath
    private let entries: [Entry]

    /// Reads the file that a configuration names; `nil` when lvm2 does not use one.
    ///
    /// Whether lvm2 uses the file when no setting says so was decided when it was built, and differs between distributions. The
    /// file is only made by commands that use it, so a file that is there is used.
    ///
    /// - Throws: ``LogicalVolumeError/Code/failed``.
    init?(_ configuration: LVMConfiguration) throws(LogicalVolumeError) {
        guard configuration.isOn("devices", "use_devicesfile") ?? true else { return nil }
        let name = configuration.text("devices", "devicesfile") ?? "system.devices"
        guard VolumeGroup.isName(name) else {
            throw LogicalVolumeError(
                .failed, "devices/devicesfile in lvm2's configuration is “\(name)”, which names no file")
        }
        path = configuration.directory.appending("devices").appending(name)
        let content: [UInt8]
        do {
            content = try PseudoFile.read(path)
        } catch Errno.noSuchFileOrDirectory, Errno.notDirectory {
            return nil
        } catch {
            throw LogicalVolumeError(.failed, "cannot read lvm2's devices file \(path): \(error)")
        }
        entries = content.split(separator: UInt8(ascii: "\n")).filter { $0.first != UInt8(ascii: "#") }
            .compactMap { Self.entry(String(decoding: $0, as: UTF8.self)) }
    }

    private static func entry(_ line: String) -> Entry? {
        var entry = Entry()
        for word in line.split(separator: " ") {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, parts[1] != "." else { continue }
            switch parts[0] {
            case "IDTYPE": entry.type = parts[1]
            case "IDNAME": entry.name = parts[1]
            case "PVID": entry.physicalVolume = parts[1]
            case "PART": entry.partition = Int(parts[1])
            default: continue
            }
        }
        return entry.type.isEmpty ? nil : entry
    }

    /// Why a device that is not in the file is left out.
    var reason: String { "\(path) does not list it; “lvmdevices --adddev” adds it" }

    /// Whether a device may be in the file, as far as can be told without its label.
    func mayName(_ device: ScannedDevice) -> Bool { entries.contains { $0.type == "devname" || fits($0, device) } }

    /// Whether a device with the label of a physical volume is in the file.
    ///
    /// A name alone is not enough where the file also has the physical volume: names change when the machine starts. lvm2 then
    /// looks for the physical volume on other devices.
    func names(_ device: ScannedDevice, _ id: LVMIdentifier?) -> Bool {
        entries.contains { entry in
            if entry.type == "devname", let listed = entry.physicalVolume { return listed == id?.compact }
            return fits(entry, device)
        }
    }

    private func fits(_ entry: Entry, _ device: ScannedDevice) -> Bool {
        switch entry.type {
        case "devname":
            // The name of a partition has its number already.
            guard let target = try? Stat(FilePath(entry.name)), target.type == .blockSpecial else { return false }
            return DeviceNumber(target.specialDeviceID) == device.number
        case "sys_wwid", "wwid_naa", "wwid_eui", "wwid_t10":
            return entry.partition == device.partition && has(entry.name, device, "device/wwid", "wwid")
        case "sys_serial":
            return entry.partition == device.partition && has(entry.name, device, "device/serial", "serial")
        case "mpath_uuid", "crypt_uuid", "lvmlv_uuid":
            return entry.partition == device.partition && has(entry.name, device, "dm/uuid")
        case "md_uuid": return entry.partition == device.partition && has(entry.name, device, "md/uuid")
        case "loop_file": return entry.partition == device.partition && has(entry.name, device, "loop/backing_file")
        default: return false
        }
    }

    private func has(_ name: String, _ device: ScannedDevice, _ files: String...) -> Bool {
        files.contains { file in
            // The disk has it, and not the partition.
            guard let value = try? PseudoFile.readLine(device.disk.appending(file)), !value.isEmpty else {
                return false
            }
            return Self.normalized(value) == Self.normalized(name)
        }
    }

    /// A name without blanks, in place of which lvm2 writes one underscore or as many as there were, by its version.
    private static func normalized(_ name: String) -> String {
        let bytes = name.utf8.map { $0 <= UInt8(ascii: " ") || $0 == 0x7f ? UInt8(ascii: "_") : $0 }
        let words = bytes.split(separator: UInt8(ascii: "_")).map { String(decoding: $0, as: UTF8.self) }
        return words.joined(separator: "_")
    }
}
