/// The names that stand for something else in a layer archive, as aufs began it and Docker and OCI went on.
package enum Whiteout {
    /// Before the name of a file: the file is deleted.
    static let prefix = Array(".wh.".utf8)
    /// Before the names that aufs uses for itself.
    static let metadataPrefix = Array(".wh..wh.".utf8)
    /// In a directory: what it has from the layers below is deleted.
    static let opaque = Array(".wh..wh..opq".utf8)
    /// In the root: the directory where aufs keeps files with several names, which others are links to.
    static let linkDirectory = Array(".wh..wh.plnk".utf8)

    /// Whether a name in an archive is in a directory that aufs kept for itself, which is in no layer when it is unpacked.
    package static func isOfAufs(_ path: [UInt8]) -> Bool {
        // A path that cannot be unpacked is in no layer either.
        guard let path = try? EntryPath(path) else { return true }
        return path.first.starts(with: metadataPrefix)
    }
}
