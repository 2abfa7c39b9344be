internal import LayerStore

/// An operation on a snapshot that could not be carried out.
public struct SnapshotterError: Error, Sendable, CustomStringConvertible {
    /// The kind of the failure, as containerd tells errors apart.
    public enum Code: String, Hashable, Sendable {
        /// The request makes no sense, whatever the state of the snapshots.
        case invalidArgument = "invalid_argument"
        /// There is no such snapshot.
        case notFound = "not_found"
        /// There is a snapshot of this name already.
        case alreadyExists = "already_exists"
        /// The pool has less free space than the store keeps in reserve.
        case resourceExhausted = "resource_exhausted"
        /// The snapshot is not in the state for it. containerd's garbage collector goes on after this one, and after no other.
        case failedPrecondition = "failed_precondition"
        /// The caller has left before the operation began.
        case cancelled = "cancelled"
        /// The caller's deadline has passed before the operation began.
        case deadlineExceeded = "deadline_exceeded"
        /// The service has no such method, or cannot read what was sent to it.
        case unimplemented = "unimplemented"
        /// The service is about to end.
        case unavailable = "unavailable"
        /// Any other failure.
        case `internal` = "internal"
    }

    /// The kind of the failure.
    public let code: Code
    /// The operation that failed, the reason and the remedy.
    public let description: String

    init(_ code: Code, _ description: String) {
        self.code = code
        self.description = description
    }

    /// The error of the store, as containerd's.
    init(_ operation: String, _ error: LayerStoreError) {
        let code: Code =
            switch error.code {
            case .noSuchLayer: .notFound
            case .layerExists: .alreadyExists
            case .sizeTooSmall, .invalidOption, .invalidLayerID: .invalidArgument
            case .notEnoughSpace: .resourceExhausted
            case .busy, .lostWrites: .failedPrecondition
            default: .internal
            }
        self.init(code, "cannot \(operation): \(error.reason)")
    }
}
