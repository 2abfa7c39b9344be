/// Writing `store.json`.
extension StoreConfiguration {
    /// Changes the file durably.
    ///
    /// A root of Docker's has none, because everything follows from its own files.
    static func update(
        in directory: StoreDirectory, _ change: (inout StoreConfiguration) -> Void
    ) throws(LayerStoreError) {
        let root = try DurableDirectory(directory.root)
        guard try root.read(fileName) != nil, let kept = try read(in: directory) else { return }
        var changed = kept
        change(&changed)
        if changed != kept { try changed.write(in: directory) }
    }

    /// Makes this the content of the file, durably.
    func write(in directory: StoreDirectory) throws(LayerStoreError) {
        let text: [UInt8]
        do {
            text = try StoreJSON.encode(self)
        } catch {
            throw LayerStoreError(.failed, "cannot write \(Self.fileName): \(error)", underlying: error)
        }
        try DurableDirectory(directory.root).write(Self.fileName, text)
    }
}
