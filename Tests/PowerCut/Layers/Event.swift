/// One step of the workload, as it is written down before and after the store is asked for it.
///
/// What is written down before a step says what may have happened; what is written down after it says what was
/// acknowledged and must be there after a power cut.
struct Event {
    enum Kind: String {
        case initialize, initialized
        case create, created, refused
        case write, written
        case resize, resized
        case remove, removed

        /// Whether it says that the store has answered.
        var isAcknowledgement: Bool {
            switch self {
            case .initialize, .create, .write, .resize, .remove: false
            case .initialized, .created, .refused, .written, .resized, .removed: true
            }
        }
    }

    let kind: Kind
    /// The layer; empty for the store itself and its pool.
    let layer: String
    /// The parent of a layer that is made, the file that is written, or the new size in bytes.
    let object: String
    /// What tells the writing of a file from all others, or the size in bytes that a layer is made with.
    let stamp: String

    init(_ kind: Kind, _ layer: String = "", _ object: String = "", stamp: String = "") {
        self.kind = kind
        self.layer = layer
        self.object = object
        self.stamp = stamp
    }

    /// Reads ``text``.
    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 4, let kind = Kind(rawValue: parts[0]) else { return nil }
        self.init(kind, parts[1], parts[2], stamp: parts[3])
    }

    /// The event as one word.
    var text: String { "\(kind.rawValue):\(layer):\(object):\(stamp)" }
}
