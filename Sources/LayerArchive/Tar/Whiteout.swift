/// The names that stand for something else in a layer archive, as aufs began it and Docker and OCI went on.
enum Whiteout {
    /// Before the name of a file: the file is deleted.
    static let prefix = Array(".wh.".utf8)
    /// Before the names that aufs uses for itself.
    static let metadataPrefix = Array(".wh..wh.".utf8)
    /// In a directory: what it has from the layers below is deleted.
    static let opaque = Array(".wh..wh..opq".utf8)
    /// In the root: the directory where aufs keeps files with several names, which others are links to.
    static let linkDirectory = Array(".wh..wh.plnk".utf8)
}
