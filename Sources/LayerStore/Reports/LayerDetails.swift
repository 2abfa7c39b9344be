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

/// The metadata of one layer, and the state of its device in the kernel.
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

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(
        id: LayerID, record: LayerRecord, deviceName: String, devicePath: FilePath? = nil, mountPath: FilePath? = nil,
        mappedBytes: UInt64? = nil
    ) {
        self.id = id
        self.record = record
        self.deviceName = deviceName
        self.devicePath = devicePath
        self.mountPath = mountPath
        self.mappedBytes = mappedBytes
    }
}

/// Lists layers, and finds out what is known about one.
struct LayerReporting {
    let core: StoreCore

    /// All layers and the base device, in the order of their ids.
    func list() throws -> [LayerListing] {
        core.resumeAbandoned()
        return try core.registry.records().map { name, record in
            switch record {
            case .success(let record):
                guard name != LayerID.base.text else { return .layer(.base, record) }
                do {
                    return .layer(try LayerID(name), record)
                } catch {
                    return .damaged(name: name, reason: "its name is no layer id")
                }
            case .failure(let error):
                return .damaged(name: name, reason: error.reason)
            }
        }
    }

    /// The metadata of a layer, and the state of its device.
    ///
    /// Nothing is activated and nothing is committed.
    func details(of id: LayerID) throws -> LayerDetails {
        core.resumeAbandoned()
        let record = try core.existing(id)
        let active = try core.devices.present(record.deviceID)
        let isMounted = try active.map { try core.mounts.isMounted($0, of: id) } ?? false
        let mapped = try active.flatMap { try mappedBytes(of: $0) }
        return LayerDetails(
            id: id, record: record, deviceName: try core.identity.name(of: id).description,
            devicePath: active?.node,
            mountPath: isMounted ? record.content.path(in: core.directory.mountPoint(of: id)) : nil, mappedBytes: mapped
        )
    }

    /// - Returns: `nil` when the device has gone meanwhile, or the kernel does not know.
    private func mappedBytes(of device: DeviceInformation) throws -> UInt64? {
        do {
            guard let line = try core.kernel.control().status(of: device.reference).first,
                case .available(let sectors, _) = try ThinDeviceStatus(parsing: line.text)
            else { return nil }
            return sectors.bytes
        } catch let error as DeviceMapperError where error.code == .noSuchDevice {
            return nil
        }
    }

    /// Everything that uses a layer's device, as far as this process may see it.
    func users(of id: LayerID) throws -> [LayerUser] {
        core.resumeAbandoned()
        guard let device = try core.devices.present(core.existing(id).deviceID) else { return [] }
        return core.devices.users(of: device.number)
    }
}
