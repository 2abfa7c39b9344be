/// The id of a layer: the name of its metadata file and of its mount point, and the end of its device's name.
public struct LayerID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The id as text.
    public let text: String

    /// The base device: the empty file system from which every layer descends.
    ///
    /// It is not a layer, and it cannot be mounted.
    public static let base = LayerID(unchecked: "base")

    /// The names of files in the metadata directory that are not about a layer.
    static let reserved: Set<String> = ["base", "deviceset-metadata", "transaction-metadata"]

    /// The end of the names of files that Docker has put aside.
    static let migratedSuffix = ".migrated"

    /// Checks the text of an id.
    ///
    /// Whether the id is short enough for the name of a device depends on the store, and is checked there.
    ///
    /// - Throws: ``LayerStoreError/Code/invalidLayerID`` when `text` is not `[A-Za-z0-9][A-Za-z0-9_.-]*`, or is the name of
    ///   another file in the metadata directory.
    public init(_ text: String) throws(LayerStoreError) {
        guard let first = text.utf8.first else { throw LayerStoreError(.invalidLayerID, "a layer id cannot be empty") }
        guard Self.isLetterOrDigit(first), text.utf8.allSatisfy(Self.isAllowed) else {
            throw LayerStoreError(
                .invalidLayerID,
                "“\(text)” is no layer id: an id begins with a letter or digit and has only letters, digits and _ . -")
        }
        guard !Self.reserved.contains(text), !text.hasSuffix(Self.migratedSuffix) else {
            throw LayerStoreError(
                .invalidLayerID,
                "“\(text)” cannot be a layer id: the store needs names like this for its own files")
        }
        self.text = text
    }

    private init(unchecked text: String) {
        self.text = text
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        isLetterOrDigit(byte) || "_.-".utf8.contains(byte)
    }

    /// The id as text.
    public var description: String { text }

    /// Whether the first id sorts first, byte by byte.
    public static func < (left: LayerID, right: LayerID) -> Bool { left.text < right.text }
}
