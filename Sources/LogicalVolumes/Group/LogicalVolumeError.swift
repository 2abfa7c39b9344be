/// An operation on physical volumes, volume groups or logical volumes that could not be carried out.
public struct LogicalVolumeError: Error, Hashable, Sendable {
    /// The kind of the failure, for a program to decide on.
    public struct Code: Hashable, Sendable {
        private enum Value: Hashable {
            case damagedLabel, damagedMetadata, notFound, ambiguous, missingDevice, refusedChange, noSpace, notEmpty
            case refusedGroup, excludedDevice, inUse, unsupported, foreignDevice, invalidArgument, failed
        }
        private let value: Value

        /// A device has the label of a physical volume that cannot be relied on.
        public static let damagedLabel = Code(value: .damagedLabel)
        /// A metadata area, or the text in it, cannot be relied on.
        public static let damagedMetadata = Code(value: .damagedMetadata)
        /// There is no such volume group or logical volume.
        public static let notFound = Code(value: .notFound)
        /// Several devices or volume groups claim to be the one that is meant.
        public static let ambiguous = Code(value: .ambiguous)
        /// A device of the volume group is not there.
        public static let missingDevice = Code(value: .missingDevice)
        /// The volume group can be read, but something in it makes a change unsafe.
        public static let refusedChange = Code(value: .refusedChange)
        /// The volume group can be read, but another machine may use it, and it is neither activated nor changed.
        public static let refusedGroup = Code(value: .refusedGroup)
        /// lvm2's configuration says that a device is not for lvm2.
        public static let excludedDevice = Code(value: .excludedDevice)
        /// There are not enough free extents, or there is no room for the text.
        public static let noSpace = Code(value: .noSpace)
        /// A device holds something that would be destroyed.
        public static let notEmpty = Code(value: .notEmpty)
        /// Something uses a device.
        public static let inUse = Code(value: .inUse)
        /// The logical volume is of a kind that is left to lvm2.
        public static let unsupported = Code(value: .unsupported)
        /// A mapped device has a name of the volume group's and was not made from it.
        public static let foreignDevice = Code(value: .foreignDevice)
        /// A name or a size cannot be used.
        public static let invalidArgument = Code(value: .invalidArgument)
        /// Any other failure.
        public static let failed = Code(value: .failed)
    }

    /// The kind of the failure.
    public let code: Code
    /// The subject, the reason for the failure, and a remedy.
    public let reason: String

    /// Makes an error.
    public init(_ code: Code, _ reason: String) {
        self.code = code
        self.reason = reason
    }
}

extension LogicalVolumeError: CustomStringConvertible {
    /// The subject, the reason for the failure, and a remedy.
    public var description: String { reason }
}
