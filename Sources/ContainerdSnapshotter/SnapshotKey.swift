/// A snapshot's key, compared by its bytes.
///
/// Swift's own comparison takes two spellings of one letter for the same, such as “é” in one character or in two.
/// containerd, and the layers' files, tell them apart.
struct SnapshotKey: Hashable, Comparable, Sendable {
    let text: String

    init(_ text: String) {
        self.text = text
    }

    static func == (left: SnapshotKey, right: SnapshotKey) -> Bool {
        left.text.utf8.elementsEqual(right.text.utf8)
    }

    static func < (left: SnapshotKey, right: SnapshotKey) -> Bool {
        left.text.utf8.lexicographicallyPrecedes(right.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
    }
}
