public import SystemPackage

/// A configuration file: the part of Docker's `daemon.json` that is about storage, and what a service of our own needs.
///
/// What is not known is left alone, for Docker has more in that file.
public struct DaemonConfiguration: Hashable, Sendable {
    /// `storage-opts`, each of the form `key=value`.
    public let storageOptions: [String]
    /// `root`: the root of the store, an absolute path.
    public let root: FilePath?
    /// `socket`: where the service listens, an absolute path.
    public let socket: FilePath?
    /// `metrics-socket`: where the service has its figures, an absolute path.
    public let metricsSocket: FilePath?
    /// `metrics-address`: the TCP address where the service has its figures.
    public let metricsAddress: String?
    /// `metrics-allow-remote`: whether other machines may reach that address.
    public let metricsAllowRemote: Bool
    /// `remap-ids`: whether containerd has the capability of this name for the service.
    public let remapsIDs: Bool

    /// Reads a configuration file.
    ///
    /// - Throws: ``LayerStoreError/Code/invalidOption`` when the file cannot be read, or is no JSON, with the line and
    ///   column, or when an entry has the wrong type or a path is not absolute.
    public init(reading path: FilePath) throws(LayerStoreError) {
        let directory = path.removingLastComponent()
        let name = path.lastComponent?.string ?? ""
        guard let content = try DurableDirectory(directory.isEmpty ? "." : directory).read(name) else {
            throw LayerStoreError(.invalidOption, "there is no file \(path)")
        }
        let fields: Fields
        do {
            fields = try StoreJSON.decode(Fields.self, content)
        } catch {
            throw LayerStoreError(
                .invalidOption, "\(path) cannot be understood: \(LayerMetadata.explain(error, content))",
                underlying: error)
        }
        func absolute(_ key: Fields.CodingKeys, _ value: String?) throws(LayerStoreError) -> FilePath? {
            guard let value else { return nil }
            guard value.hasPrefix("/") else {
                throw LayerStoreError(
                    .invalidOption, "\(path) cannot be understood: “\(key.rawValue)” is “\(value)” and no absolute path"
                )
            }
            return FilePath(value)
        }
        storageOptions = fields.storageOptions ?? []
        root = try absolute(.root, fields.root)
        socket = try absolute(.socket, fields.socket)
        metricsSocket = try absolute(.metricsSocket, fields.metricsSocket)
        metricsAddress = fields.metricsAddress
        metricsAllowRemote = fields.metricsAllowRemote ?? false
        remapsIDs = fields.remapsIDs ?? false
    }

    private struct Fields: Decodable {
        let storageOptions: [String]?
        let root: String?
        let socket: String?
        let metricsSocket: String?
        let metricsAddress: String?
        let metricsAllowRemote: Bool?
        let remapsIDs: Bool?

        enum CodingKeys: String, CodingKey {
            case storageOptions = "storage-opts"
            case root
            case socket
            case metricsSocket = "metrics-socket"
            case metricsAddress = "metrics-address"
            case metricsAllowRemote = "metrics-allow-remote"
            case remapsIDs = "remap-ids"
        }
    }
}
