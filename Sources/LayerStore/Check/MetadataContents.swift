internal import ThinProvisioning

/// What the files of a metadata directory say at one moment.
struct MetadataContents {
    /// The layers and the base device by the names of their files.
    var records: [String: LayerRecord] = [:]
    /// The files that cannot be understood, and why.
    var damaged: [String: String] = [:]
    /// The numbers of the thin devices of layers that are being removed.
    var removals: Set<ThinDeviceID> = []
    /// The numbers that are reserved for new layers.
    var reserved: Set<ThinDeviceID> = []
    /// What interrupted writes left behind.
    var temporaryFiles: [String] = []

    /// How the names of the files begin that stand for layers which are being removed.
    static let removalPrefix = ".removed-"

    init(_ metadata: LayerMetadata, _ allocator: DeviceIDAllocator) throws(LayerStoreError) {
        for (name, record) in try metadata.records() {
            switch record {
            case .success(let record): records[name] = record
            case .failure(let error): damaged[name] = error.reason
            }
            if name != LayerID.base.text {
                do { _ = try LayerID(name) } catch { damaged[name] = error.reason }
            }
        }
        let names = try metadata.directory.names()
        reserved = allocator.reservedIDs(names)
        for name in names where name.hasPrefix(Self.removalPrefix) {
            // The name alone says it, so that it counts however the content looks.
            if let id = Self.removedID(name) {
                removals.insert(id)
            } else {
                damaged[name] = "its name has no number of a thin device"
            }
        }
        temporaryFiles = try metadata.directory.temporaryNames().sorted()
    }

    static func removedID(_ name: String) -> ThinDeviceID? {
        UInt32(name.dropFirst(removalPrefix.count)).flatMap { ThinDeviceID($0) }
    }

    /// Whether every file was understood, so that a number which none has is nobody's.
    var isComplete: Bool { damaged.isEmpty }

    /// All numbers that a file speaks for.
    var knownIDs: Set<ThinDeviceID> { Set(records.values.map(\.deviceID)).union(removals).union(reserved) }
}
