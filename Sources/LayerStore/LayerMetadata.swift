internal import ThinProvisioning
internal import FoundationEssentials
internal import SystemPackage

/// The metadata directory, read and written by what its files mean.
struct LayerMetadata: Sendable {
    let directory: DurableDirectory

    private static let deviceSet = "deviceset-metadata"
    private static let transaction = "transaction-metadata"
    private static let removalPrefix = ".removed-"

    init(_ path: FilePath) throws(LayerStoreError) {
        directory = try DurableDirectory(path)
    }

    /// What the store keeps about a layer, or `nil` when there is no such layer.
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
        let names = try directory.names().filter { name in
            // Docker's reader passes over these as well.
            name.first != "." && !name.hasSuffix(LayerID.migratedSuffix)
                && (name == LayerID.base.text || !LayerID.reserved.contains(name))
        }
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

    /// What concerns all devices, or `nil` before the base device exists.
    func deviceSet() throws(LayerStoreError) -> DeviceSetRecord? {
        try decode(DeviceSetRecord.self, Self.deviceSet)
    }

    func save(_ record: DeviceSetRecord) throws(LayerStoreError) {
        try directory.write(Self.deviceSet, try encode(record))
    }

    /// What Docker was about to do when it last changed the pool, or `nil` when Docker has not been here.
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
        for name in try directory.names() where name.hasPrefix(Self.removalPrefix) {
            let number = UInt32(name.dropFirst(Self.removalPrefix.count)).flatMap { ThinDeviceID($0) }
            if let number, let record = try? unfinishedRemoval(of: number) { records.append(record) }
        }
        return records.sorted { $0.deviceID < $1.deviceID }
    }

    /// How many removals have begun and not ended, by the names of their files.
    func unfinishedRemovalCount() throws(LayerStoreError) -> Int {
        try directory.names().count { name in
            name.hasPrefix(Self.removalPrefix) && UInt32(name.dropFirst(Self.removalPrefix.count)) != nil
        }
    }

    /// The record of a layer whose removal has begun and not ended, by the number of its thin device.
    func unfinishedRemoval(of number: ThinDeviceID) throws(LayerStoreError) -> LayerRecord? {
        let record = try record(in: Self.removalPrefix + number.description)
        // A file that says something else than its name says nothing.
        return record?.deviceID == number ? record : nil
    }

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
                "\(directory.path.appending(name)) cannot be understood: \(Self.explain(error, content))",
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

    /// What is wrong with a text that should be JSON of a certain form; where, if it is no JSON at all.
    static func explain(_ error: any Error, _ content: [UInt8]) -> String {
        switch error {
        case DecodingError.keyNotFound(let key, _): "“\(key.stringValue)” is missing"
        case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
            "“\(context.codingPath.map(\.stringValue).joined(separator: "."))” has a value of the wrong type"
        case DecodingError.dataCorrupted(let context):
            JSONSyntax.complaint(about: content) ?? context.debugDescription
        default: "\(error)"
        }
    }
}

/// JSON as the store writes it: one line, keys in order; and as it reads it, whoever wrote it.
enum StoreJSON {
    /// Reads what must be JSON through and through.
    ///
    /// - Throws: `DecodingError`.
    static func decode<Value: Decodable>(_ type: Value.Type, _ content: [UInt8]) throws -> Value {
        // The decoder alone traps on lists in lists in lists, when it looks for the place to complain about (Swift 6.3.1).
        if let complaint = JSONSyntax.complaint(about: content) {
            throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: complaint))
        }
        return try JSONDecoder().decode(type, from: Data(content))
    }

    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }
}
