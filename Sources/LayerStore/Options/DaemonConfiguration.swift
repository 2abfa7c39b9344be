public import SystemPackage
internal import FoundationEssentials

/// A configuration file: the storage options of Docker's `daemon.json`, and the settings of this program's service.
///
/// All other keys of Docker are ignored. A key that neither Docker nor this program has is in ``unknownKeys``. A key that
/// looks like a mistyped key of this program is refused, because a store could otherwise be made in the wrong place.
public struct DaemonConfiguration: Hashable, Sendable {
    /// `storage-opts`, each of the form `key=value`.
    public let storageOptions: [String]
    /// `root`: the root of the store, an absolute path.
    public let root: FilePath?
    /// `data-root`, or `graph`, its name before Docker 17.05: the directory of all of Docker's data, an absolute path.
    public let dataRoot: FilePath?
    /// `socket`: the socket of the service, an absolute path.
    public let socket: FilePath?
    /// `metrics-socket`: the socket for the service's metrics, an absolute path.
    public let metricsSocket: FilePath?
    /// `metrics-address`: the TCP address for the service's metrics.
    public let metricsAddress: String?
    /// `metrics-allow-remote`: whether other machines may reach that address.
    public let metricsAllowRemote: Bool
    /// `remap-ids`: whether containerd's configuration gives the service the capability of this name.
    public let remapsIDs: Bool
    /// `space-view`: a directory whose `statfs` shows how full the pool is, an absolute path.
    public let spaceView: FilePath?
    /// The keys that neither Docker nor this program has, in alphabetical order.
    public let unknownKeys: [String]

    private let path: FilePath
    private let remapsUsers: Bool

    /// Reads a configuration file, which may be a symbolic link.
    ///
    /// - Throws: ``LayerStoreError/Code/invalidOption`` when the file cannot be read, or is not JSON, with the line and
    ///   column; when an entry has the wrong type, a path is not absolute, or a key is mistyped.
    public init(reading path: FilePath) throws(LayerStoreError) {
        let directory = path.removingLastComponent()
        let name = path.lastComponent?.string ?? ""
        guard let content = try DurableDirectory(directory.isEmpty ? "." : directory).read(name, followsLink: true)
        else {
            throw LayerStoreError(.invalidOption, "there is no file \(path)")
        }
        func refused(_ reason: String, _ error: (any Error)? = nil) -> LayerStoreError {
            LayerStoreError(.invalidOption, "\(path) cannot be understood: \(reason)", underlying: error)
        }
        let fields: Fields
        let keys: [String]
        do {
            fields = try StoreJSON.decode(Fields.self, content)
            keys = try StoreJSON.decode(Keys.self, content).names.sorted()
        } catch {
            throw refused(StoreJSON.explain(error, content), error)
        }
        func absolute(_ key: Fields.CodingKeys, _ value: String?) throws(LayerStoreError) -> FilePath? {
            guard let value else { return nil }
            guard value.hasPrefix("/"), !value.utf8.contains(0) else {
                throw refused("“\(key.rawValue)” is “\(value)” and not an absolute path")
            }
            return FilePath(value)
        }
        let own = Fields.CodingKeys.allCases.map(\.rawValue)
        unknownKeys = keys.filter { !own.contains($0) && !DockerKeys.all.contains($0) }
        for key in unknownKeys {
            guard let meant = Spelling.nearest(to: key, among: own) else { continue }
            throw refused("there is no key “\(key)”; did you mean “\(meant)”?")
        }
        self.path = path
        storageOptions = fields.storageOptions ?? []
        root = try absolute(.root, fields.root)
        let (dataRoot, graph) = (try absolute(.dataRoot, fields.dataRoot), try absolute(.graph, fields.graph))
        if let dataRoot, let graph, dataRoot != graph {
            throw refused("“data-root” and “graph” have the same meaning, and here they name different directories")
        }
        self.dataRoot = dataRoot ?? graph
        remapsUsers = fields.usersRemap.map { !$0.isEmpty } ?? false
        socket = try absolute(.socket, fields.socket)
        metricsSocket = try absolute(.metricsSocket, fields.metricsSocket)
        metricsAddress = fields.metricsAddress
        metricsAllowRemote = fields.metricsAllowRemote ?? false
        remapsIDs = fields.remapsIDs ?? false
        spaceView = try absolute(.spaceView, fields.spaceView)
    }

    /// The root of the store: `root`, or the directory `devicemapper` in Docker's `data-root`.
    ///
    /// - Returns: `nil` when the file names neither.
    /// - Throws: ``LayerStoreError/Code/invalidOption`` when the file names two roots, or when the root depends on
    ///   `userns-remap`.
    public func storeRoot() throws(LayerStoreError) -> FilePath? {
        guard let dataRoot else { return root }
        let dockers = dataRoot.appending("devicemapper")
        if let root, root != dockers {
            throw LayerStoreError(
                .invalidOption,
                "\(path) names two roots: “root” is \(root), and “data-root” makes it \(dockers); name one with --root")
        }
        guard root != nil || !remapsUsers else {
            throw LayerStoreError(
                .invalidOption,
                "\(path) has “userns-remap”, with which Docker's root is \(dataRoot)/UID.GID/devicemapper; name it with --root"
            )
        }
        return dockers
    }

    private struct Fields: Decodable {
        let storageOptions: [String]?
        let root: String?
        let dataRoot: String?
        let graph: String?
        let usersRemap: String?
        let socket: String?
        let metricsSocket: String?
        let metricsAddress: String?
        let metricsAllowRemote: Bool?
        let remapsIDs: Bool?
        let spaceView: String?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case storageOptions = "storage-opts"
            case root
            case dataRoot = "data-root"
            case graph
            case usersRemap = "userns-remap"
            case socket
            case metricsSocket = "metrics-socket"
            case metricsAddress = "metrics-address"
            case metricsAllowRemote = "metrics-allow-remote"
            case remapsIDs = "remap-ids"
            case spaceView = "space-view"
        }
    }

    /// The names of all entries of an object.
    private struct Keys: Decodable {
        let names: [String]

        private struct Name: CodingKey {
            let stringValue: String
            var intValue: Int? { nil }

            init?(stringValue: String) { self.stringValue = stringValue }
            init?(intValue: Int) { nil }
        }

        init(from decoder: any Decoder) throws {
            names = try decoder.container(keyedBy: Name.self).allKeys.map(\.stringValue)
        }
    }
}
