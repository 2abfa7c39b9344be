/// A pool's metadata that could not be read from its device.
public struct ThinMetadataError: Error, Hashable, Sendable {
    /// The kind of the failure, for a program to decide on.
    public struct Code: Hashable, Sendable {
        private enum Value: Hashable {
            case notAPool, inconsistent, unreadable, noSuchDevice, noReferenceCounts, notSupported
        }
        private let value: Value

        /// There is no thin pool on the device.
        public static let notAPool = Code(value: .notAPool)
        /// The metadata contradicts itself.
        ///
        /// On the device of an active pool, a commit may have overtaken the reader: try again. On a device that nobody
        /// writes to, the metadata is damaged.
        public static let inconsistent = Code(value: .inconsistent)
        /// The device could not be opened or read.
        public static let unreadable = Code(value: .unreadable)
        /// The pool has no thin device of this number.
        public static let noSuchDevice = Code(value: .noSuchDevice)
        /// A snapshot of the metadata has no reference counts, so that it does not tell what is shared.
        public static let noReferenceCounts = Code(value: .noReferenceCounts)
        /// The metadata has a form that this reader does not know.
        public static let notSupported = Code(value: .notSupported)
    }

    /// The kind of the failure.
    public let code: Code
    /// The number of the metadata block, of 4096 bytes, with the fault; `nil` where the fault is in no single block.
    public let block: UInt64?
    /// The fault, as a sentence without an end.
    public let detail: String
    /// The error below, if there is one.
    public let underlying: (any Error)?

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(_ code: Code, block: UInt64? = nil, _ detail: String, underlying: (any Error)? = nil) {
        self.code = code
        self.block = block
        self.detail = detail
        self.underlying = underlying
    }

    /// Whether two errors say the same; the error below is not compared.
    public static func == (left: ThinMetadataError, right: ThinMetadataError) -> Bool {
        left.code == right.code && left.block == right.block && left.detail == right.detail
    }

    /// Hashes what `==` compares.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(code)
        hasher.combine(block)
        hasher.combine(detail)
    }
}

extension ThinMetadataError: CustomStringConvertible {
    /// Where in the metadata it is, and what to do.
    public var description: String {
        let place = block.map { "block \($0) of the pool's metadata: " } ?? ""
        let advice =
            code == .inconsistent
            ? "; if the pool is active, it was changed meanwhile: try again. If it is not, “dmlayer metadata check” tells the "
                + "damage" : ""
        return place + detail + advice
    }
}
