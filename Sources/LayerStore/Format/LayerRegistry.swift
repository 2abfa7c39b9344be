internal import ThinProvisioning
internal import SystemPackage

/// The metadata directory, read and written by what its files mean: only this type knows their names.
struct LayerRegistry: Sendable {
    private let directory: DurableDirectory

    /// The path of the directory.
    var path: FilePath { directory.path }

    private static let deviceSet = "deviceset-metadata"
    private static let transaction = "transaction-metadata"
    private static let removalPrefix = ".removed-"
    private static let reservationPrefix = ".reserved-device-ids."
    private static let exclusionPrefix = ".excluded-device-id."

    init(_ path: FilePath) throws(LayerStoreError) {
        directory = try DurableDirectory(path)
    }

    /// The metadata of a layer, or `nil` when there is no such layer.
    ///
    /// - Throws: ``LayerStoreError/Code/damagedMetadata`` when the file cannot be understood.
    func record(of id: LayerID) throws(LayerStoreError) -> LayerRecord? {
        try record(in: id.text)
    }

    private func record(in name: String) throws(LayerStoreError) -> LayerRecord? {
        guard let content = try directory.read(name) else { return nil }
        if let record = LayerRecord(usualText: content) { return record }
        return try decode(LayerRecord.self, content, name)
    }

    /// Makes a layer known, durably.
    func save(_ record: LayerRecord, of id: LayerID) throws(LayerStoreError) {
        let text: [UInt8]
        if let usual = record.usualText { text = usual } else { text = try encode(record) }
        try directory.write(id.text, text)
    }

    /// Takes back a registration that failed half way, durably: its thin device goes.
    func forget(_ id: LayerID) throws(LayerStoreError) {
        if try directory.remove(id.text) { try directory.synchronize() }
    }

    /// Everything that is known, with the error for a file that cannot be understood.
    func records() throws(LayerStoreError) -> [(name: String, record: Result<LayerRecord, LayerStoreError>)] {
        let names = try recordNames()
        var records: [(name: String, record: Result<LayerRecord, LayerStoreError>)] = []
        for name in names.sorted() {
            do {
                if let record = try record(in: name) { records.append((name, .success(record))) }
            } catch {
                records.append((name, .failure(error)))
            }
        }
        return records
    }

    /// Whether there is a layer or a base device, which may be damaged.
    func hasRecords() throws(LayerStoreError) -> Bool { try !recordNames().isEmpty }

    private func recordNames() throws(LayerStoreError) -> [String] {
        try directory.names().filter { name in
            // Docker's reader passes over these as well.
            name.first != "." && !name.hasSuffix(LayerID.migratedSuffix)
                && (name == LayerID.base.text || !LayerID.reserved.contains(name))
        }
    }

    /// The layers, and the base device, by their thin devices.
    ///
    /// A file that cannot be understood says nothing here.
    func layersByDevice() throws(LayerStoreError) -> [ThinDeviceID: LayerID] {
        var layers: [ThinDeviceID: LayerID] = [:]
        for (name, record) in try records() {
            guard case .success(let record) = record else { continue }
            // A name that is no id cannot be a layer's.
            layers[record.deviceID] = name == LayerID.base.text ? .base : try? LayerID(name)
        }
        return layers
    }

    /// Docker's `deviceset-metadata`, which is about all devices, or `nil` before the base device exists.
    func deviceSet() throws(LayerStoreError) -> DeviceSetRecord? {
        try decode(DeviceSetRecord.self, Self.deviceSet)
    }

    func save(_ record: DeviceSetRecord) throws(LayerStoreError) {
        try directory.write(Self.deviceSet, try encode(record))
    }

    /// The last change of the pool that Docker had begun, or `nil` where there is no `transaction-metadata`.
    func dockerTransaction() throws(LayerStoreError) -> DockerTransaction? {
        try decode(DockerTransaction.self, Self.transaction)
    }

    /// Says that Docker's last transaction is over.
    func endDockerTransaction() throws(LayerStoreError) {
        try directory.remove(Self.transaction)
        try directory.synchronize()
    }

    /// Makes the base device unknown, durably, in a store that is not complete.
    func forgetBaseDevice() throws(LayerStoreError) {
        try directory.remove(LayerID.base.text)
        try directory.remove(Self.deviceSet)
        try directory.removeTemporaryFiles()
        try directory.synchronize()
    }

    // MARK: Removal

    /// Makes a layer unknown, durably, and keeps the number of its thin device for as long as the pool still has it.
    func beginRemoval(of id: LayerID, _ record: LayerRecord) throws(LayerStoreError) {
        try directory.rename(id.text, to: Self.removalPrefix + record.deviceID.description)
        try directory.synchronize()
    }

    /// Forgets the number of a thin device that the pool does not have any more.
    ///
    /// This need not be durable: a removal that comes back after a crash finds nothing to delete.
    ///
    /// - Returns: Whether it was known until now.
    @discardableResult
    func endRemoval(_ record: LayerRecord) throws(LayerStoreError) -> Bool {
        try directory.remove(Self.removalPrefix + record.deviceID.description)
    }

    /// The records of layers whose removal has begun and not ended, in the order of their thin devices' numbers.
    func unfinishedRemovals() throws(LayerStoreError) -> [LayerRecord] {
        var records: [LayerRecord] = []
        for number in Self.removals(in: try directory.names()).numbers {
            // A file that cannot be understood waits for a person.
            if let record = try? unfinishedRemoval(of: number) { records.append(record) }
        }
        return records.sorted { $0.deviceID < $1.deviceID }
    }

    /// The numbers of the thin devices of layers that are being removed, and the files whose names tell no number.
    static func removals(in names: [String]) -> (numbers: Set<ThinDeviceID>, unknown: [String]) {
        var (numbers, unknown): (Set<ThinDeviceID>, [String]) = ([], [])
        for name in names where name.hasPrefix(removalPrefix) {
            if let number = number(name, behind: removalPrefix) { numbers.insert(number) } else { unknown.append(name) }
        }
        return (numbers, unknown)
    }

    /// Forgets a removal, whatever its file says.
    func dropRemoval(of number: ThinDeviceID) throws(LayerStoreError) {
        try directory.remove(Self.removalPrefix + number.description)
    }

    /// The name of the file of a removal.
    static func removalName(_ number: ThinDeviceID) -> String { removalPrefix + number.description }

    /// How many removals have begun and not ended, by the names of their files.
    func unfinishedRemovalCount() throws(LayerStoreError) -> Int {
        Self.removals(in: try directory.names()).numbers.count
    }

    /// The record of a layer whose removal has begun and not ended, by the number of its thin device.
    func unfinishedRemoval(of number: ThinDeviceID) throws(LayerStoreError) -> LayerRecord? {
        let record = try record(in: Self.removalPrefix + number.description)
        // A file that says something else than its name says nothing.
        return record?.deviceID == number ? record : nil
    }

    // MARK: Numbers

    /// The numbers of thin devices that the names of the directory's files reserve or exclude.
    struct Numbers: Hashable, Sendable {
        /// The first numbers of the blocks that are reserved for new layers.
        var reservations: Set<ThinDeviceID> = []
        /// The numbers in these blocks that another program took.
        var excluded: Set<ThinDeviceID> = []

        /// All numbers that are reserved for new layers.
        var reserved: Set<ThinDeviceID> {
            var numbers: Set<ThinDeviceID> = []
            for first in reservations {
                var number = first
                for _ in 0..<NumberBlock.size {
                    numbers.insert(number)
                    number = number.next
                }
            }
            return numbers.subtracting(excluded)
        }
    }

    /// Reads the reserved and excluded numbers from the names of the directory's files.
    func numbers() throws(LayerStoreError) -> Numbers { Self.numbers(in: try directory.names()) }

    static func numbers(in names: [String]) -> Numbers {
        var numbers = Numbers()
        for name in names {
            if let first = number(name, behind: reservationPrefix) { numbers.reservations.insert(first) }
            if let number = number(name, behind: exclusionPrefix) { numbers.excluded.insert(number) }
        }
        return numbers
    }

    /// Reserves the block of numbers that begins with `first`; this is durable with the next ``synchronize()``, or with the
    /// next layer that is registered.
    func markReservation(_ first: ThinDeviceID) throws(LayerStoreError) {
        try directory.mark(Self.reservationPrefix + first.description)
    }

    /// Notes that another program took a number of a reserved block, durably: the recovery must not delete that device.
    func exclude(_ number: ThinDeviceID) throws(LayerStoreError) {
        try directory.mark(Self.exclusionPrefix + number.description)
        try directory.synchronize()
    }

    /// Takes back the reservations from the block that begins with `oldest` up to the one that begins with `block`, which
    /// is kept; this need not be durable.
    func dropReservations(from oldest: ThinDeviceID, to block: ThinDeviceID) throws(LayerStoreError) {
        guard oldest.distance(to: block) <= 64 * NumberBlock.size else {
            return try dropReservations { oldest.distance(to: $0) < oldest.distance(to: block) }
        }
        var first = oldest
        while first != block, first.distance(to: block) < ThinDeviceID.maximum.value / 2 {
            try directory.remove(Self.reservationPrefix + first.description)
            first = first.advanced(by: NumberBlock.size)
        }
    }

    /// Takes back all reservations but those that begin with `kept`; this is durable with the next ``synchronize()``.
    func dropReservations(except kept: Set<ThinDeviceID> = []) throws(LayerStoreError) {
        try dropReservations { !kept.contains($0) }
    }

    private func dropReservations(where isDropped: (ThinDeviceID) -> Bool) throws(LayerStoreError) {
        let names = try directory.names()
        for first in Self.numbers(in: names).reservations where isDropped(first) {
            try directory.remove(Self.reservationPrefix + first.description)
        }
        let numbers = Self.numbers(in: try directory.names())
        let left = LayerRegistry.Numbers(reservations: numbers.reservations).reserved
        for number in numbers.excluded where !left.contains(number) {
            try directory.remove(Self.exclusionPrefix + number.description)
        }
    }

    private static func number(_ name: String, behind prefix: String) -> ThinDeviceID? {
        guard name.hasPrefix(prefix) else { return nil }
        let number = UInt32(name.dropFirst(prefix.count)).flatMap { ThinDeviceID($0) }
        // “+5” and “05” are read as 5 too, and a file of 5 has another name.
        return number.flatMap { prefix + $0.description == name ? $0 : nil }
    }

    // MARK: The directory

    /// Removes a file; this is durable with the next ``synchronize()``.
    func removeFile(_ name: String) throws(LayerStoreError) { try directory.remove(name) }

    /// Makes everything that was done to names durable.
    func synchronize() throws(LayerStoreError) { try directory.synchronize() }

    /// The names of all files, without what interrupted writes left.
    func names() throws(LayerStoreError) -> [String] { try directory.names() }

    /// The names of the files that interrupted writes left.
    func temporaryNames() throws(LayerStoreError) -> [String] { try directory.temporaryNames() }

    /// Removes the files that interrupted writes left.
    func removeTemporaryFiles() throws(LayerStoreError) { try directory.removeTemporaryFiles() }

    // MARK: JSON

    private func decode<Record: Decodable>(
        _ type: Record.Type, _ name: String
    ) throws(LayerStoreError) -> Record? {
        guard let content = try directory.read(name) else { return nil }
        return try decode(type, content, name)
    }

    private func decode<Record: Decodable>(
        _ type: Record.Type, _ content: [UInt8], _ name: String
    ) throws(LayerStoreError) -> Record {
        do {
            return try StoreJSON.decode(type, content)
        } catch {
            throw LayerStoreError(
                .damagedMetadata,
                "\(directory.path.appending(name)) cannot be understood: \(StoreJSON.explain(error, content))",
                underlying: error)
        }
    }

    private func encode(_ record: some Encodable) throws(LayerStoreError) -> [UInt8] {
        do {
            return try StoreJSON.encode(record)
        } catch {
            throw LayerStoreError(.failed, "cannot write metadata: \(error)", underlying: error)
        }
    }
}
