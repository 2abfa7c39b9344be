internal import FoundationEssentials
public import SystemPackage

/// The part of Docker's `daemon.json` that is about storage.
public struct DaemonConfiguration: Hashable, Sendable {
    /// `storage-opts`, each of the form `key=value`.
    public let storageOptions: [String]

    /// Reads a configuration file.
    ///
    /// - Throws: ``LayerStoreError/Code/invalidOption`` when the file cannot be read, or is no JSON, with the line and
    ///   column, or when an entry has the wrong type.
    public init(reading path: FilePath) throws(LayerStoreError) {
        let directory = path.removingLastComponent()
        let name = path.lastComponent?.string ?? ""
        guard let content = try DurableDirectory(directory.isEmpty ? "." : directory).read(name) else {
            throw LayerStoreError(.invalidOption, "there is no file \(path)")
        }
        do {
            storageOptions = try JSONDecoder().decode(Fields.self, from: Data(content)).storageOptions ?? []
        } catch {
            throw LayerStoreError(
                .invalidOption, "\(path) cannot be understood: \(LayerMetadata.explain(error, content))",
                underlying: error)
        }
    }

    private struct Fields: Decodable {
        let storageOptions: [String]?

        enum CodingKeys: String, CodingKey {
            case storageOptions = "storage-opts"
        }
    }
}
