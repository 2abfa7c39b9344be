public import DeviceMapper
public import ThinProvisioning

/// The thin devices of a pool that another program made, and those of them that are active.
///
/// It was true when it was read: the program that made the pool must not be at work.
public struct PoolContent: Hashable, Sendable {
    /// A mapped device on one of the pool's thin devices.
    public struct ActiveDevice: Hashable, Sendable {
        /// The name of the mapped device.
        public let name: DeviceName
        /// The number of the mapped device.
        public let number: DeviceNumber
        /// The thin device.
        public let thinDevice: ThinDeviceID
        /// How often the mapped device is open; a mount counts once.
        public let openCount: Int

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(name: DeviceName, number: DeviceNumber, thinDevice: ThinDeviceID, openCount: Int) {
            self.name = name
            self.number = number
            self.thinDevice = thinDevice
            self.openCount = openCount
        }
    }

    /// The name of the pool's device.
    public let name: String
    /// The numbers of the thin devices.
    public let thinDevices: Set<ThinDeviceID>
    /// The mapped devices on them, in the order of their names.
    public let active: [ActiveDevice]

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(name: String, thinDevices: Set<ThinDeviceID>, active: [ActiveDevice]) {
        self.name = name
        self.thinDevices = thinDevices
        self.active = active
    }
}

extension PoolContent {
    /// Reads the content of an active pool; nothing is changed.
    init(of pool: ThinPool) throws {
        let metadata = try pool.metadataDevice()
        let numbers = try ThinPoolMetadata.consistently(reading: metadata) { try $0.devices().map(\.id) }
        self.init(
            name: pool.name.description, thinDevices: Set(numbers),
            active: try Self.activeDevices(in: pool).sorted { $0.name.description < $1.name.description })
    }

    /// The mapped devices on a pool's thin devices.
    static func activeDevices(in pool: ThinPool) throws -> [ActiveDevice] {
        var found: [ActiveDevice] = []
        for entry in try pool.control.devices() {
            // A device that was listed may have gone.
            guard let device = try pool.control.informationIfPresent(on: .number(entry.number)), device.hasActiveTable,
                let table = try table(of: device, pool.control)
            else { continue }
            for segment in table.entries {
                guard let thin = segment.target.as(ThinTarget.self), case .number(pool.number) = thin.pool,
                    let number = ThinDeviceID(thin.identifier)
                else { continue }
                found.append(
                    ActiveDevice(
                        name: device.name, number: device.number, thinDevice: number, openCount: device.openCount))
            }
        }
        return found
    }

    /// The table of a device; `nil` where the device has gone meanwhile.
    private static func table(
        of device: DeviceInformation, _ control: Control
    ) throws(DeviceMapperError) -> MappingTable? {
        do {
            return try control.table(of: .number(device.number))
        } catch {
            guard error.code == .noSuchDevice else { throw error }
            return nil
        }
    }
}
