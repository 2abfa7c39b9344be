public import SystemPackage
internal import FoundationEssentials

/// A configuration file: the part of Docker's `daemon.json` that is about storage, and what a service of our own needs.
///
/// Docker's other keys are left alone. A key that neither Docker nor this program has is in ``unknownKeys``, and one that
/// looks like a mistyped key of those that count is refused: without it a store would be made elsewhere.
public struct DaemonConfiguration: Hashable, Sendable {
    /// `storage-opts`, each of the form `key=value`.
    public let storageOptions: [String]
    /// `root`: the root of the store, an absolute path.
    public let root: FilePath?
    /// `data-root`, or `graph`, its name before Docker 17.05: what Docker keeps everything in, an absolute path.
    public let dataRoot: FilePath?
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
    /// Keys that mean nothing, in the order of the alphabet.
    public let unknownKeys: [String]

    private let path: FilePath
    private let remapsUsers: Bool

    /// Reads a configuration file.
    ///
    /// - Throws: ``LayerStoreError/Code/invalidOption`` when the file cannot be read, or is no JSON, with the line and
    ///   column; when an entry has the wrong type, a path is not absolute, or a key is mistyped.
    public init(reading path: FilePath) throws(LayerStoreError) {
        let directory = path.removingLastComponent()
        let name = path.lastComponent?.string ?? ""
        guard let content = try DurableDirectory(directory.isEmpty ? "." : directory).read(name) else {
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
            throw refused(LayerMetadata.explain(error, content), error)
        }
        func absolute(_ key: Fields.CodingKeys, _ value: String?) throws(LayerStoreError) -> FilePath? {
            guard let value else { return nil }
            guard value.hasPrefix("/") else { throw refused("“\(key.rawValue)” is “\(value)” and no absolute path") }
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
            throw refused("“data-root” and “graph” are two names of one thing and name different directories")
        }
        self.dataRoot = dataRoot ?? graph
        remapsUsers = fields.usersRemap.map { !$0.isEmpty } ?? false
        socket = try absolute(.socket, fields.socket)
        metricsSocket = try absolute(.metricsSocket, fields.metricsSocket)
        metricsAddress = fields.metricsAddress
        metricsAllowRemote = fields.metricsAllowRemote ?? false
        remapsIDs = fields.remapsIDs ?? false
    }

    /// The root of the store that the file is about: `root`, or the directory `devicemapper` in Docker's `data-root`.
    ///
    /// - Returns: `nil` when the file names neither.
    /// - Throws: ``LayerStoreError/Code/invalidOption`` when the file names two, or leaves it to `userns-remap`.
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

/// The keys of `daemon.json` that are Docker's own business, of all versions on Linux and Windows.
private enum DockerKeys {
    static let all: Set<String> = [
        "add-runtime", "allow-direct-routing", "allow-nondistributable-artifacts", "api-cors-header",
        "authorization-plugins", "bip", "bip6", "bridge", "bridge-accept-fwmark", "builder", "cdi-spec-dirs",
        "cgroup-parent", "cluster-advertise", "cluster-store", "cluster-store-opts", "containerd",
        "containerd-namespace", "containerd-plugins-namespace", "cpu-rt-period", "cpu-rt-runtime", "debug",
        "default-address-pools",
        "default-cgroupns-mode", "default-gateway", "default-gateway-v6", "default-ipc-mode", "default-network-opts",
        "default-runtime", "default-shm-size", "default-ulimits", "deprecated-key-path", "disable-legacy-registry",
        "dns",
        "dns-opts", "dns-search", "exec-driver", "exec-opts", "exec-root", "experimental", "features",
        "firewall-backend", "fixed-cidr", "fixed-cidr-v6", "group", "host-gateway-ip", "host-gateway-ips", "hosts",
        "http-proxy", "https-proxy", "icc", "init", "init-path", "insecure-registries", "ip", "ip-forward",
        "ip-forward-no-drop", "ip-masq", "ip6tables", "iptables", "ipv6", "labels", "live-restore", "log-driver",
        "log-format", "log-level", "log-opts", "max-concurrent-downloads", "max-concurrent-uploads",
        "max-download-attempts", "metrics-addr", "min-api-version", "mtu", "network-control-plane-mtu",
        "network-diagnostic-port", "no-new-privileges", "no-proxy", "node-generic-resources", "oom-score-adjust",
        "pidfile", "proxies", "raw-logs", "registry-mirrors", "rootless", "runtimes", "seccomp-profile",
        "selinux-enabled", "shutdown-timeout", "storage-driver", "swarm-default-advertise-addr",
        "swarm-raft-election-tick", "swarm-raft-heartbeat-tick", "tls", "tlscacert", "tlscert", "tlskey", "tlsverify",
        "userland-proxy",
        "userland-proxy-path", "validate",
    ]
}
