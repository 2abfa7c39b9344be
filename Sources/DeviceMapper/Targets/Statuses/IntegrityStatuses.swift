/// The status of a ``VerityTarget``: the kernel's `verity.rst`.
public struct VerityStatus: TypedStatus {
    /// The targets that have this status.
    public static let types = [VerityTarget.type]

    /// Whether every block that was read was as its hash says.
    public let isValid: Bool

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        switch words.next() {
        case "V": isValid = true
        case "C": isValid = false
        default: return nil
        }
    }
}

/// The status of an ``IntegrityTarget``: the kernel's `dm-integrity.rst`.
public struct IntegrityStatus: TypedStatus {
    /// The targets that have this status.
    public static let types = [IntegrityTarget.type]

    /// How many sectors were not as their tags say.
    public let mismatches: UInt64
    /// How many sectors of data there are.
    public let dataSectors: Sectors
    /// The sector up to which tags have been made anew; `nil` when nothing is made anew, and before Linux 4.19.
    public let recalculated: Sectors?

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let mismatches = words.number(), let sectors = words.sectors() else { return nil }
        self.mismatches = mismatches
        dataSectors = sectors
        recalculated = words.sectors()
    }
}
