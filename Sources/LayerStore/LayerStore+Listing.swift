internal import DeviceMapper
internal import Filesystems
public import SystemPackage
internal import ThinProvisioning

/// An entry of the list of layers.
public enum LayerListing: Sendable {
    /// A layer, or the base device.
    case layer(LayerID, LayerRecord)
    /// A metadata file that cannot be understood, and why.
    case damaged(name: String, reason: String)
}

/// What is known about one layer, from its metadata file and from the kernel.
public struct LayerDetails: Hashable, Sendable {
    /// The id.
    public let id: LayerID
    /// The content of its metadata file.
    public let record: LayerRecord
    /// The name that its mapped device has when it is active.
    public let deviceName: String
    /// The path of its mapped device, if it is active.
    public let devicePath: FilePath?
    /// Where its content can be seen, if it is mounted.
    public let mountPath: FilePath?
    /// How many bytes of it have blocks in the pool, those that it shares with other layers included; `nil` if it is not
    /// active.
    public let mappedBytes: UInt64?
}

extension LayerStore {
    /// All layers and the base device, in the order of their ids.
    ///
    /// Nothing is asked of the kernel.
    public func layers() throws(LayerStoreError) -> [LayerListing] {
        try attempting("list the layers") {
            try metadata.records().map { name, record in
                switch record {
                case .success(let record):
                    guard name != LayerID.base.text else { return .layer(.base, record) }
                    guard let id = try? LayerID(name) else {
                        return .damaged(name: name, reason: "its name is no layer id")
                    }
                    return .layer(id, record)
                case .failure(let error):
                    return .damaged(name: name, reason: error.reason)
                }
            }
        }
    }

    /// What is known about one layer.
    ///
    /// Nothing is activated and nothing is committed.
    ///
    /// - Throws: ``LayerStoreError/Code/noSuchLayer``, ``LayerStoreError/Code/damagedMetadata``.
    public func details(of id: LayerID) throws(LayerStoreError) -> LayerDetails {
        try attempting("inspect layer \(id)") {
            let record = try existing(id)
            let control = try control()
            let device = DeviceReference.uuid(try uuid(of: record.deviceID))
            let active = try control.informationIfPresent(on: device)
            let isMounted = try active.map { try self.isMounted($0.number, at: directory.mountPoint(of: id)) } ?? false
            var mapped: UInt64?
            if active != nil, let line = try control.status(of: device).first,
                case .available(let sectors, _) = try ThinDeviceStatus(parsing: line.text)
            {
                mapped = sectors.bytes
            }
            return LayerDetails(
                id: id, record: record, deviceName: try directory.deviceName(of: id).description,
                devicePath: active.map { FilePath("/dev/dm-\($0.number.minor)") },
                mountPath: isMounted ? record.content.path(in: directory.mountPoint(of: id)) : nil, mappedBytes: mapped)
        }
    }
}
