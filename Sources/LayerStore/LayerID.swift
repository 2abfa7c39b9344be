/// The id of a layer: the name of its metadata file and of its mount point, and the end of its device's name.
public struct LayerID: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The id as text.
    public let text: String

    /// The base device: the empty file system that every layer descends from.
    ///
    /// It is no layer and cannot be mounted.
    public static let base = LayerID(unchecked: "base")

    /// Names of files that stand beside the layers' in the metadata directory.
    static let reserved: Set<String> = ["base", "deviceset-metadata", "transaction-metadata"]

    /// What the names of files end with that Docker has put aside.
    static let migratedSuffix = ".migrated"

    /// Takes an id.
    ///
    /// - Throws: ``LayerStoreError/Code/invalidLayerID`` when `text` is not `[A-Za-z0-9][A-Za-z0-9_.-]*`, or is a name
    ///   that the metadata directory uses itself. Whether it fits into a device's name depends on the store.
    public init(_ text: String) throws(LayerStoreError) {
        guard let first = text.utf8.first else { throw LayerStoreError(.invalidLayerID, "a layer id cannot be empty") }
        guard Self.isLetterOrDigit(first), text.utf8.allSatisfy(Self.isAllowed) else {
            throw LayerStoreError(
                .invalidLayerID,
                "“\(text)” is no layer id: it begins with a letter or digit and has letters, digits and _ . - only")
        }
        guard !Self.reserved.contains(text), !text.hasSuffix(Self.migratedSuffix) else {
            throw LayerStoreError(
                .invalidLayerID,
                "“\(text)” cannot be a layer id: names like this are kept for files of the store itself")
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
