/// The user namespace that a snapshot is for, as its labels say it.
///
/// Such a snapshot is mounted so that its files show the owners of the namespace, and the device keeps those of the image.
struct IDMapping: Hashable {
    /// The label with the users: `CONTAINER:HOST:LENGTH`, several of them with commas between.
    static let userLabel = "containerd.io/snapshot/uidmapping"
    /// The label with the groups.
    static let groupLabel = "containerd.io/snapshot/gidmapping"

    /// Ids in the namespace that follow each other, and those that they are outside of it.
    private struct Range: Hashable {
        let inside: UInt32
        let outside: UInt32
        let length: UInt32

        init?(_ text: Substring) {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            // Otherwise a sign would be taken as well.
            guard parts.count == 3, text.utf8.allSatisfy({ $0 == UInt8(ascii: ":") || (0x30...0x39).contains($0) }),
                let inside = UInt32(parts[0]), let outside = UInt32(parts[1]), let length = UInt32(parts[2]),
                length > 0,
                !inside.addingReportingOverflow(length).overflow, !outside.addingReportingOverflow(length).overflow
            else { return nil }
            self.inside = inside
            self.outside = outside
            self.length = length
        }

        var text: String { "\(inside):\(outside):\(length)" }
    }

    /// The kernel takes no more lines than this.
    private static let mostRanges = 340

    private let users: [Range]
    private let groups: [Range]

    /// Reads the labels of a snapshot; `nil` when it is for no user namespace.
    ///
    /// - Throws: ``SnapshotterError/Code/invalidArgument`` for one label without the other, and for a text that is no mapping.
    init?(_ labels: [String: String]) throws(SnapshotterError) {
        let texts = (labels[Self.userLabel] ?? "", labels[Self.groupLabel] ?? "")
        guard !texts.0.isEmpty || !texts.1.isEmpty else { return nil }
        guard !texts.0.isEmpty, !texts.1.isEmpty else {
            throw SnapshotterError(
                .invalidArgument,
                "the label \(texts.0.isEmpty ? Self.groupLabel : Self.userLabel) comes without "
                    + "\(texts.0.isEmpty ? Self.userLabel : Self.groupLabel); a user namespace needs both")
        }
        users = try Self.ranges(Self.userLabel, texts.0)
        groups = try Self.ranges(Self.groupLabel, texts.1)
    }

    private static func ranges(_ label: String, _ text: String) throws(SnapshotterError) -> [Range] {
        let texts = text.split(separator: ",", omittingEmptySubsequences: false)
        let ranges = texts.count <= mostRanges ? texts.compactMap(Range.init) : []
        guard ranges.count == texts.count else {
            throw SnapshotterError(
                .invalidArgument,
                "the label \(label)=\(text.prefix(100)) is no mapping of ids; it must be CONTAINER:HOST:LENGTH, or up to "
                    + "\(mostRanges) of these with commas between")
        }
        return ranges
    }

    /// The mount options that containerd 2 makes the mount with; the kernel does not know them.
    var mountOptions: [String] {
        [
            "uidmap=" + users.map(\.text).joined(separator: ","),
            "gidmap=" + groups.map(\.text).joined(separator: ","),
        ]
    }

    /// Whether these are the user and the group that root in the namespace is outside of it.
    func isRoot(user: UInt32, group: UInt32) -> Bool {
        // The real root owns the files of every image.
        guard (user, group) != (0, 0) else { return false }
        return users.contains { $0.inside == 0 && $0.outside == user }
            && groups.contains { $0.inside == 0 && $0.outside == group }
    }
}
