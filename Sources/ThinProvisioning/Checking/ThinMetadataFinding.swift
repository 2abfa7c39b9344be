/// Something that a check of a pool's metadata has found.
public struct ThinMetadataFinding: Hashable, Sendable {
    /// The part of the metadata in which something is wrong.
    public enum Kind: String, Sendable, CaseIterable {
        /// A node of a tree that cannot be read, or is not where it belongs.
        case node
        /// The description of the devices does not fit their mappings.
        case devices
        /// A device has not as many mappings as its description says.
        case mappedBlocks = "mapped_blocks"
        /// A mapping leads to a data block that does not exist.
        case behindTheEnd = "behind_the_end"
        /// A data block that one device maps more than once.
        case doubleMapping = "double_mapping"
        /// The blocks in which reference counts are kept.
        case spaceMap = "space_map"
        /// The reference counts of the data blocks.
        case dataCounts = "data_counts"
        /// The reference counts of the metadata blocks.
        case metadataCounts = "metadata_counts"
        /// A time later than the pool's.
        case clock
        /// The mark that the metadata must be checked.
        case needsCheck = "needs_check"
        /// The snapshot of the metadata that the pool holds.
        case heldSnapshot = "held_snapshot"
    }

    /// How grave a finding is.
    public enum Severity: String, Sendable, Comparable {
        /// Something to know, with which a pool can be used.
        case note
        /// The pool can be used, and what is wrong can be corrected without a guess.
        case minor
        /// Data is lost, or will be if the pool is used.
        case damage

        /// Whether the first is the less grave one.
        public static func < (left: Severity, right: Severity) -> Bool { left.rank < right.rank }

        private var rank: Int { self == .note ? 0 : self == .minor ? 1 : 2 }
    }

    /// The part of the metadata in which something is wrong.
    public let kind: Kind
    /// How grave it is.
    public let severity: Severity
    /// The finding, as a sentence without a full stop.
    public let message: String
    /// The thin devices that are hit, in order; empty where the finding is not about single devices.
    public let devices: [ThinDeviceID]

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(_ kind: Kind, _ severity: Severity, _ message: String, devices: [ThinDeviceID] = []) {
        self.kind = kind
        self.severity = severity
        self.message = message
        self.devices = devices
    }

    /// The next step for a person, as a sentence without a full stop; `nil` if there is none.
    public var advice: String? {
        switch (kind, severity) {
        case (.needsCheck, _):
            "if nothing else was found, take the mark away with “dmlayer metadata check --clear-needs-check”"
        case (.heldSnapshot, _):
            "if no program reads it, give it up: send the pool the message release_metadata_snap"
        case (.doubleMapping, .note): nil
        case (.doubleMapping, _):
            "write to no such device; copy its files to another device, and remove it"
        case (.dataCounts, .minor), (.metadataCounts, .minor):
            "correct the counts with “dmlayer metadata repair --in-place”, while the pool is not active"
        case (_, .minor): "the pool can be used; restore the metadata from a dump at an opportunity"
        case (_, .damage):
            "do not activate the pool; write a good copy to another device with “dmlayer metadata repair”"
        case (_, .note): nil
        }
    }
}
