internal import SystemPackage

extension StoreConfiguration {
    /// Reads the configuration of the store in a root.
    ///
    /// - Parameters:
    ///   - directory: The root.
    ///   - options: The place of the pool in a root that Docker made, because Docker does not write it down.
    /// - Returns: `nil` when the root has no store.
    /// - Throws: ``LayerStoreError/Code/damagedMetadata`` when `store.json` cannot be understood, or has a newer format.
    static func read(
        in directory: StoreDirectory, _ options: StorageOptions = StorageOptions()
    ) throws(LayerStoreError) -> StoreConfiguration? {
        guard let content = try DurableDirectory(directory.root).read(fileName) else {
            return try DockerRoot.configuration(in: directory, options)
        }
        var configuration: StoreConfiguration
        do {
            configuration = try StoreJSON.decode(StoreConfiguration.self, content)
        } catch {
            throw LayerStoreError(
                .damagedMetadata,
                "\(directory.root.appending(fileName)) cannot be understood: \(StoreJSON.explain(error, content))",
                underlying: error)
        }
        try configuration.check()
        // A file from before the first format number gets one when it is written again.
        configuration.format = FormatNumber()
        return configuration
    }
}
