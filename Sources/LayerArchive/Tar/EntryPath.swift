/// The name of an entry as a path within a layer: relative to its root, without `.`, `..` and doubled slashes.
struct EntryPath {
    /// The path of the directory that it is in, empty for the root.
    let parent: [UInt8]
    /// The last part, `nil` for the root itself.
    let name: FileName?
    /// The first part.
    let first: ArraySlice<UInt8>
    /// How many parts there are.
    let depth: Int

    /// Resolves the dots in a name without looking at files, as Docker does.
    ///
    /// - Throws: ``LayerArchiveError/Code/outsideRoot`` when there are more `..` than parts before them.
    init(_ bytes: [UInt8]) throws(LayerArchiveError) {
        var parts: [ArraySlice<UInt8>] = []
        for part in bytes.split(separator: UInt8(ascii: "/")) {
            if part.elementsEqual("..".utf8) {
                guard parts.popLast() != nil else {
                    let name = FileName.printable(bytes)
                    throw LayerArchiveError(.outsideRoot, "the path “\(name)” leads out of the layer")
                }
            } else if !part.elementsEqual(".".utf8) {
                parts.append(part)
            }
        }
        first = parts.first ?? []
        depth = parts.count
        name = parts.popLast().map(FileName.init)
        parent = Array(parts.joined(separator: [UInt8(ascii: "/")]))
    }
}
