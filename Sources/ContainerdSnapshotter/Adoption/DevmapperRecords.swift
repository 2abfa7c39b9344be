internal import LayerStore

/// The snapshots and devices in the two databases of containerd's own devmapper snapshotter.
struct DevmapperRecords: Hashable, Sendable {
    /// A snapshot, from `metadata.db`.
    struct Snapshot: Hashable, Sendable {
        /// The number in the name of its device.
        var id: UInt64
        var key: String
        var parent: String = ""
        var kind: SnapshotRecord.Kind
        var labels: [String: String] = [:]
        /// When it was made, or committed, in nanoseconds since 1970.
        var created: Int64 = 0
        /// When it was last changed, in nanoseconds since 1970.
        var updated: Int64 = 0
        /// The bytes of a committed snapshot with those of its parents.
        var size: UInt64 = 0
    }

    /// A device, from the database of the pool.
    struct Device: Hashable, Sendable {
        /// The last step that containerd took with a device, by the number that it writes.
        enum State: Int, Hashable, Sendable, CaseIterable {
            case unknown, creating, created, activating, activated, suspending, suspended, resuming, resumed
            case deactivating, deactivated, removing, removed, faulty
        }

        var name: String
        var number: Int64
        /// The size in bytes.
        var size: UInt64
        var state: State
        /// The error of the last step, or an empty text.
        var error: String = ""
    }

    /// The snapshots in the order of their keys.
    var snapshots: [Snapshot] = []
    /// The devices by their names.
    var devices: [String: Device] = [:]

    init(snapshots: [Snapshot] = [], devices: [Device] = []) {
        self.snapshots = snapshots
        self.devices = Dictionary(devices.map { ($0.name, $0) }) { first, _ in first }
    }

    // MARK: Reading

    /// Reads the snapshots of a `metadata.db`.
    ///
    /// - Throws: ``BoltError`` when a snapshot cannot be understood: to leave it out would lose it.
    static func snapshots(in database: BoltBucket) throws(BoltError) -> [Snapshot] {
        // containerd makes the buckets with the first snapshot.
        guard let bucket = database.bucket("v1")?.bucket("snapshots") else { return [] }
        var snapshots: [Snapshot] = []
        for entry in bucket.entries {
            guard case .bucket(let fields) = entry.item else {
                throw BoltError("the snapshot “\(String(decoding: entry.key, as: UTF8.self))” has no fields")
            }
            snapshots.append(try snapshot(text(entry.key, "the key of a snapshot"), fields))
        }
        return snapshots
    }

    private static func snapshot(_ key: String, _ fields: BoltBucket) throws(BoltError) -> Snapshot {
        func refusal(_ field: String) -> BoltError {
            BoltError("the snapshot “\(key)” has no “\(field)” that can be understood")
        }
        guard let id = fields.value("id").flatMap(GoValue.unsignedNumber) else { throw refusal("id") }
        let kind: SnapshotRecord.Kind =
            switch fields.value("kind") {
            case [1]: .view
            case [2]: .active
            case [3]: .committed
            default: throw refusal("kind")
            }
        var snapshot = Snapshot(id: id, key: key, kind: kind)
        if let parent = fields.value("parent") { snapshot.parent = try text(parent, "the parent of “\(key)”") }
        for entry in fields.bucket("labels")?.entries ?? [] {
            guard case .value(let value) = entry.item else { throw refusal("labels") }
            snapshot.labels[try text(entry.key, "a label of “\(key)”")] = try text(value, "a label of “\(key)”")
        }
        guard let created = fields.value("createdat").flatMap(GoValue.time) else { throw refusal("createdat") }
        snapshot.created = created
        // Old versions of containerd do not write it.
        snapshot.updated = fields.value("updatedat").flatMap(GoValue.time) ?? created
        if let size = fields.value("size") {
            guard let number = GoValue.number(size), number >= 0 else { throw refusal("size") }
            snapshot.size = UInt64(number)
        }
        return snapshot
    }

    /// Reads the devices of a pool's database.
    ///
    /// - Throws: ``BoltError`` when a device cannot be understood.
    static func devices(in database: BoltBucket) throws(BoltError) -> [Device] {
        guard let bucket = database.bucket("devices") else {
            throw BoltError("it has no bucket “devices”, so it is not the database of a pool")
        }
        var devices: [Device] = []
        for entry in bucket.entries {
            let name = try text(entry.key, "the name of a device")
            guard case .value(let content) = entry.item else { throw BoltError("the device “\(name)” has no record") }
            let record: DeviceRecord
            do {
                record = try StoreJSON.decode(DeviceRecord.self, content)
            } catch {
                throw BoltError(
                    "the record of the device “\(name)” cannot be understood: \(StoreJSON.explain(error, content))")
            }
            guard let state = Device.State(rawValue: record.state) else {
                throw BoltError("the device “\(name)” has the state \(record.state), and the known ones are 0 to 13")
            }
            devices.append(
                Device(
                    name: name, number: record.number, size: record.size, state: state, error: record.error ?? ""))
        }
        return devices
    }

    private struct DeviceRecord: Decodable {
        let number: Int64
        let size: UInt64
        let state: Int
        let error: String?

        enum CodingKeys: String, CodingKey {
            case number = "device_id"
            case size
            case state
            case error
        }
    }

    private static func text(_ bytes: [UInt8], _ subject: String) throws(BoltError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw BoltError("\(subject) is no text in UTF-8: “\(String(decoding: bytes, as: UTF8.self))”")
        }
        return text
    }
}

/// Values as the libraries of Go write them.
enum GoValue {
    /// A number of `binary.PutUvarint`.
    ///
    /// - Returns: `nil` when the bytes are no such number, or more than one.
    static func unsignedNumber(_ bytes: [UInt8]) -> UInt64? {
        var value: UInt64 = 0
        guard (1...10).contains(bytes.count), let last = bytes.last, last & 0x80 == 0 else { return nil }
        for (index, byte) in bytes.enumerated() {
            guard index == bytes.count - 1 || byte & 0x80 != 0 else { return nil }
            let part = UInt64(byte & 0x7f)
            // Only one bit of the tenth byte has room.
            guard index < 9 || part <= 1 else { return nil }
            value |= part << UInt64(index * 7)
        }
        return value
    }

    /// A number of `binary.PutVarint`.
    static func number(_ bytes: [UInt8]) -> Int64? {
        unsignedNumber(bytes).map { Int64(bitPattern: $0 >> 1) ^ -Int64(bitPattern: $0 & 1) }
    }

    /// A time of `time.MarshalBinary`, in nanoseconds since 1970.
    ///
    /// - Returns: `nil` for another form, or a time that does not fit.
    static func time(_ bytes: [UInt8]) -> Int64? {
        guard let version = bytes.first, version == 1 && bytes.count == 15 || version == 2 && bytes.count == 16 else {
            return nil
        }
        func number(_ range: Range<Int>) -> UInt64 { bytes[range].reduce(0) { $0 << 8 | UInt64($1) } }
        // Seconds since the year 1.
        let (seconds, isTooEarly) = Int64(bitPattern: number(1..<9)).subtractingReportingOverflow(62_135_596_800)
        let (nanoseconds, isTooLate) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, isTooMuch) = nanoseconds.addingReportingOverflow(Int64(number(9..<13)))
        return isTooEarly || isTooLate || isTooMuch ? nil : sum
    }
}
