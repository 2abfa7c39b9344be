internal import BlockDevices
internal import DeviceMapper
internal import LayerArchive
internal import SystemPackage

/// An operation on a layer store that could not be carried out.
public struct LayerStoreError: Error, Sendable {
    /// The kind of the failure, for a program to decide on.
    public struct Code: Hashable, Sendable {
        private enum Value: Hashable {
            case invalidLayerID, invalidOption, noSuchLayer, layerExists, sizeTooSmall, notInitialized
            case optionsContradict, damagedMetadata, busy, notEnoughSpace, backingStore, foreignDevice, readOnly, failed
            case lostWrites
        }
        private let value: Value

        /// The text cannot be the id of a layer.
        public static let invalidLayerID = Code(value: .invalidLayerID)
        /// An option is unknown, or its value is not allowed.
        public static let invalidOption = Code(value: .invalidOption)
        /// There is no layer with this id.
        public static let noSuchLayer = Code(value: .noSuchLayer)
        /// There is a layer with this id already.
        public static let layerExists = Code(value: .layerExists)
        /// A layer cannot be smaller than its parent, and a pool not smaller than it is.
        public static let sizeTooSmall = Code(value: .sizeTooSmall)
        /// The directory holds no store yet.
        public static let notInitialized = Code(value: .notInitialized)
        /// The store was made with other options.
        public static let optionsContradict = Code(value: .optionsContradict)
        /// A file of the store cannot be understood.
        public static let damagedMetadata = Code(value: .damagedMetadata)
        /// Something uses the layer, or the store.
        public static let busy = Code(value: .busy)
        /// The pool has less free space than the store keeps in reserve, or the file system of the root is full.
        public static let notEnoughSpace = Code(value: .notEnoughSpace)
        /// A file or device below the pool is not what it should be.
        public static let backingStore = Code(value: .backingStore)
        /// A mapped device has the name of ours and was not made by us.
        public static let foreignDevice = Code(value: .foreignDevice)
        /// The store was opened for reading only.
        public static let readOnly = Code(value: .readOnly)
        /// Writes to the layer may have failed unseen, because the pool had no space or no metadata for a while.
        public static let lostWrites = Code(value: .lostWrites)
        /// Any other failure; ``LayerStoreError/underlying`` tells which.
        public static let failed = Code(value: .failed)
    }

    /// The kind of the failure.
    public let code: Code
    /// The operation that failed, to complete "cannot …"; `nil` until the error leaves the operation.
    public internal(set) var operation: String?
    /// The reason for the failure, and a remedy.
    public let reason: String
    /// The error of a lower module, if one is the cause.
    public let underlying: (any Error)?

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(_ code: Code, _ reason: String, underlying: (any Error)? = nil) {
        self.code = code
        self.reason = reason
        self.underlying = underlying
    }
}

extension LayerStoreError: CustomStringConvertible {
    /// The operation that failed, the reason and the remedy.
    public var description: String {
        operation.map { "cannot \($0): \(reason)" } ?? reason
    }
}

extension LayerStoreError.Code {
    /// The code for an error of a lower module.
    fileprivate init(for error: any Error) {
        switch error {
        case let error as DeviceMapperError where error.code == .busy: self = .busy
        case let error as DeviceMapperError where error.errno == .noSpace: self = .notEnoughSpace
        case let error as BlockDeviceError where error.code == .inUse: self = .busy
        case let error as LayerArchiveError where error.code == .file && error.errno == .noSpace: self = .notEnoughSpace
        default: self = .failed
        }
    }
}

/// Runs `body`; what it throws becomes an error that says what was attempted.
func attempting<Result>(
    _ operation: @autoclosure () -> String, _ body: () throws -> Result
) throws(LayerStoreError) -> Result {
    do {
        return try body()
    } catch var error as LayerStoreError {
        if error.operation == nil { error.operation = operation() }
        throw error
    } catch {
        var wrapped = LayerStoreError(.init(for: error), "\(error)", underlying: error)
        wrapped.operation = operation()
        throw wrapped
    }
}
