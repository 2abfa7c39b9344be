internal import BlockDevices
internal import SystemPackage

/// This machine's name among those that can see the same disks, as lvm2's configuration decides it.
///
/// A volume group with a `system_id` belongs to the machine with that name. Where lvm2 gives this machine none, which is its
/// default, every such group is another machine's.
public struct LVMSystem: Hashable, Sendable {
    /// The name; `nil` is none.
    public let id: String?
    /// Names of machines whose groups may be used here as well: `local/extra_system_ids`.
    public let otherIDs: Set<String>
    /// Where the name comes from: `global/system_id_source`.
    let source: String

    /// Names a machine.
    public init(id: String?, otherIDs: Set<String> = []) {
        self.init(id: id, otherIDs: otherIDs, source: id == nil ? "none" : "lvmlocal")
    }

    private init(id: String?, otherIDs: Set<String>, source: String) {
        self.id = id
        self.otherIDs = otherIDs
        self.source = source
    }

    /// The name that a configuration gives this machine.
    init(_ configuration: LVMConfiguration) {
        let source = configuration.text("global", "system_id_source") ?? "none"
        var id: String?
        switch source.lowercased() {
        case "uname": id = VolumeGroupMetadata.hostName
        case "lvmlocal": id = configuration.text("local", "system_id")
        case "machineid", "machine-id":
            id = Self.firstLine(FilePath(configuration.text("global", "etc") ?? "/etc").appending("machine-id"))
        case "appmachineid": id = MachineID.ofLVM(in: FilePath(configuration.text("global", "etc") ?? "/etc"))
        case "file": id = configuration.text("global", "system_id_file").flatMap { Self.firstLine(FilePath($0)) }
        default: break
        }
        self.init(
            id: id.flatMap(Self.normalized), otherIDs: Set(configuration.texts("local", "extra_system_ids") ?? []),
            source: source)
    }

    /// The first line of a file that is neither empty nor a comment.
    private static func firstLine(_ file: FilePath) -> String? {
        // A file that cannot be read gives no name, and groups with a name are then refused.
        guard let content = try? PseudoFile.read(file) else { return nil }
        return content.split(separator: UInt8(ascii: "\n")).lazy
            .map { String(decoding: $0.prefix { $0 != UInt8(ascii: "#") }, as: UTF8.self) }
            .first { $0.contains { !$0.isWhitespace } }
    }

    /// The characters of a name that lvm2 keeps; `nil` when nothing is left, or the name is every machine's.
    private static func normalized(_ text: String) -> String? {
        let isAlphanumeric = { (byte: UInt8) in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: false
            }
        }
        let kept = text.utf8.drop { !isAlphanumeric($0) }.filter { isAlphanumeric($0) || "._-+".utf8.contains($0) }
        let name = String(decoding: kept.prefix(128), as: UTF8.self)
        return name.isEmpty || name.hasPrefix("localhost") ? nil : name
    }

    /// Why a group with this `system_id` must not be used here; `nil` when it may be.
    func refusal(ofGroup name: String, systemID: String?) -> String? {
        guard let systemID, systemID != id, id == nil || !otherIDs.contains(systemID) else { return nil }
        let here =
            if let id { "this one is “\(id)”" } else if source == "none" {
                "lvm2's configuration gives this one no name"
            } else { "global/system_id_source = “\(source)” gives this one no name" }
        return
            "it belongs to the machine “\(systemID)” (its system_id), and \(here). If that machine does not use it any "
            + "more, “vgchange --systemid \"\" \(name)” there, or with local/extra_system_ids here, gives it away"
    }
}
