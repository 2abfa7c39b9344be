/// One step of the workload, as it is written down before and after the store is asked for it.
///
/// An event before a step says that the step may have happened. An event after it says that the store has acknowledged
/// the step, so that its result must be there after a power cut.
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
    /// A text that only this writing of a file has, or the size in bytes of a new layer.
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
