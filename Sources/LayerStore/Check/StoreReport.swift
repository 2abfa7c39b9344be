public import ThinProvisioning

/// The result of a check of a store.
public struct StoreReport: Hashable, Sendable {
    /// The disagreements, the worst first.
    public let findings: [StoreFinding]
    /// The findings from before a repair that the repair has mended.
    public let repaired: [StoreFinding]
    /// The changes that a repair could not make, each with the reason.
    public let failures: [String]
    /// How many metadata files of layers were understood, that of the base device included.
    public let layerCount: Int
    /// How many thin devices the pool has; `nil` when its metadata could not be read.
    public let thinDeviceCount: Int?
    /// Whether the pool was active.
    public let isPoolActive: Bool

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        findings: [StoreFinding] = [], repaired: [StoreFinding] = [], failures: [String] = [], layerCount: Int,
        thinDeviceCount: Int? = nil, isPoolActive: Bool
    ) {
        self.findings = findings
        self.repaired = repaired
        self.failures = failures
        self.layerCount = layerCount
        self.thinDeviceCount = thinDeviceCount
        self.isPoolActive = isPoolActive
    }

    /// Whether nothing was found that somebody has to see to.
    public var isClean: Bool { failures.isEmpty && findings.allSatisfy { $0.severity == .information } }
}

/// The changes that a repair makes only because somebody decided on them.
public struct StoreRepairOrders: Hashable, Sendable {
    /// Layers whose thin device the pool does not have; their metadata files are removed.
    public var forgotten: [LayerID]
    /// Thin devices whose metadata file was lost, with the id of the layer that each becomes.
    public var adopted: [AdoptedDevice]
    /// Thin devices that no layer has, to be deleted in a pool that somebody else made.
    public var deleted: [ThinDeviceID]

    /// A thin device that becomes a layer.
    public struct AdoptedDevice: Hashable, Sendable {
        /// The number of the thin device.
        public let device: ThinDeviceID
        /// The id of the layer.
        public let id: LayerID

        /// Says what becomes which layer.
        public init(_ device: ThinDeviceID, as id: LayerID) {
            self.device = device
            self.id = id
        }
    }

    /// Makes orders.
    public init(forgotten: [LayerID] = [], adopted: [AdoptedDevice] = [], deleted: [ThinDeviceID] = []) {
        self.forgotten = forgotten
        self.adopted = adopted
        self.deleted = deleted
    }
}
