/// A part of a store that is damaged, left over or contradicts another part.
public struct StoreFinding: Hashable, Sendable {
    /// The kind of a disagreement, for a program to decide on.
    public struct Kind: RawRepresentable, Hashable, Sendable {
        /// The kind as a word that stays the same in every version.
        public let rawValue: String

        /// Takes a word.
        public init(rawValue: String) { self.rawValue = rawValue }

        private init(_ rawValue: String) { self.rawValue = rawValue }

        /// `store.json` is missing, cannot be understood or contradicts the pool.
        public static let configuration = Kind("configuration")
        /// The metadata directory cannot be read.
        public static let metadataDirectory = Kind("metadata_directory")
        /// A file of the metadata directory cannot be understood, or its name is none that the store gives.
        public static let damagedFile = Kind("damaged_file")
        /// A temporary file that an interrupted write left behind.
        public static let temporaryFile = Kind("temporary_file")
        /// A layer that is being removed.
        public static let removal = Kind("removal")
        /// Thin devices that an operation is making, or that an operation left when its process died.
        public static let unfinished = Kind("unfinished")
        /// Several layers have the same thin device.
        public static let duplicateDevice = Kind("duplicate_device")
        /// A layer has a thin device that the pool does not have.
        public static let missingDevice = Kind("missing_device")
        /// The pool has a thin device that no layer has.
        public static let orphanDevice = Kind("orphan_device")
        /// The parent of a layer does not exist.
        public static let missingParent = Kind("missing_parent")
        /// The size of a layer is not possible.
        public static let size = Kind("size")
        /// The base device is missing, not complete, or not the one that the files are about.
        public static let baseDevice = Kind("base_device")
        /// The base device is missing, not complete, or not the one that the metadata files describe.
        public static let deviceSet = Kind("device_set")
        /// Docker's `transaction-metadata` cannot be understood, or does not agree with the pool.
        public static let transaction = Kind("transaction")
        /// A mapped device of the store does not agree with its layer.
        public static let mappedDevice = Kind("mapped_device")
        /// A file or device below the pool is missing, too short or in somebody else's use.
        public static let backingStore = Kind("backing_store")
        /// The pool is not active where it must be, or belongs to somebody else.
        public static let pool = Kind("pool")
        /// The pool takes no changes or has failed.
        public static let poolMode = Kind("pool_mode")
        /// The pool's metadata cannot be read.
        public static let poolMetadata = Kind("pool_metadata")
        /// The pool has made so many snapshots that it comes near the end of its clock.
        public static let clock = Kind("clock")
        /// A snapshot of the pool's metadata is held.
        public static let heldSnapshot = Kind("held_snapshot")
    }

    /// How bad it is.
    public enum Severity: String, Hashable, Sendable, Comparable {
        /// Nothing is wrong.
        case information
        /// The store works, and somebody has to see to it.
        case warning
        /// Something is lost, or cannot be used.
        case error

        /// Whether the first is the less severe one.
        public static func < (left: Severity, right: Severity) -> Bool { left.rank < right.rank }

        private var rank: Int { self == .error ? 2 : self == .warning ? 1 : 0 }
    }

    /// The kind of the disagreement.
    public let kind: Kind
    /// How bad the disagreement is.
    public let severity: Severity
    /// The layer, the file or the number of the thin device that disagrees.
    public let subject: String
    /// The disagreement in one sentence.
    public let message: String
    /// The steps that mend it, one on each line; `nil` where nothing has to be done.
    public let advice: String?
    /// Whether `check --repair` mends it without further orders.
    public let isRepairable: Bool

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        kind: Kind, severity: Severity, subject: String, message: String, advice: String? = nil, isRepairable: Bool
    ) {
        self.kind = kind
        self.severity = severity
        self.subject = subject
        self.message = message
        self.advice = advice
        self.isRepairable = isRepairable
    }
}

extension StoreFinding {
    /// The text of the advice: one step on each line.
    static func advice(_ steps: [PoolProblem.Step]) -> String {
        steps.map { step in step.text + (step.command.map { " “\($0)”" } ?? "") }.joined(separator: "\n")
    }
}

extension StoreFinding: CustomStringConvertible {
    /// The severity and the message, and the steps of the advice on the lines below.
    public var description: String {
        let lines = advice?.split(separator: "\n") ?? []
        return "\(severity.rawValue): " + message + lines.map { "\n    " + $0 }.joined()
    }

    /// Whether another finding is about the same thing.
    func isSame(as other: StoreFinding) -> Bool { kind == other.kind && subject == other.subject }
}
