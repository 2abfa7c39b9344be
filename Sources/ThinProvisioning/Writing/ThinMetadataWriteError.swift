/// Metadata of a pool that could not be written, or that must not be written as it was given.
public struct ThinMetadataWriteError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kind of failure, for a program to decide on.
    public struct Code: Hashable, Sendable {
        private enum Value: Hashable {
            case unwritable, inUse, noSpace, invalid, notRepairable
        }
        private let value: Value

        /// The output could not be opened, written or flushed.
        public static let unwritable = Code(value: .unwritable)
        /// Something holds the device that should be written.
        public static let inUse = Code(value: .inUse)
        /// The output has too few blocks for the metadata.
        public static let noSpace = Code(value: .noSpace)
        /// The content contradicts itself, or exceeds what the format can hold.
        public static let invalid = Code(value: .invalid)
        /// The damaged metadata has too little that is whole, or a value is missing that only the user knows.
        public static let notRepairable = Code(value: .notRepairable)
    }

    /// The kind of failure.
    public let code: Code
    /// The finding, as a sentence without a full stop.
    public let description: String

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }
}
