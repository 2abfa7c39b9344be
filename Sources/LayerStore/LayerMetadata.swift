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
        try decode(LayerRecord.self, id.text)
    }

    /// Makes a layer known, durably.
    func save(_ record: LayerRecord, of id: LayerID) throws(LayerStoreError) {
        try directory.write(id.text, try encode(record))
    }

    /// Everything that is known, with the error for a file that cannot be understood.
    func records() throws(LayerStoreError) -> [(name: String, record: Result<LayerRecord, LayerStoreError>)] {
        let names = try directory.names().filter { name in
            // Docker's reader passes over these as well.
            name.first != "." && !name.hasSuffix(".migrated")
                && (name == LayerID.base.text || !LayerID.reserved.contains(name))
        }
        var records: [(name: String, record: Result<LayerRecord, LayerStoreError>)] = []
        for name in names.sorted() {
            do {
                if let record = try decode(LayerRecord.self, name) { records.append((name, .success(record))) }
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

    // MARK: Removal

    /// Makes a layer unknown, durably, and keeps the number of its thin device for as long as the pool still has it.
    func beginRemoval(of id: LayerID, _ record: LayerRecord) throws(LayerStoreError) {
        try directory.rename(id.text, to: Self.removalPrefix + record.deviceID.description)
        try directory.synchronize()
    }

    /// Forgets the number of a thin device that the pool does not have any more.
    ///
    /// This need not be durable: a removal that comes back after a crash finds nothing to delete.
    func endRemoval(_ record: LayerRecord) throws(LayerStoreError) {
        try directory.remove(Self.removalPrefix + record.deviceID.description)
    }

    /// The records of layers whose removal has begun and not ended.
    func unfinishedRemovals() throws(LayerStoreError) -> [LayerRecord] {
        var records: [LayerRecord] = []
        for name in try directory.names() where name.hasPrefix(Self.removalPrefix) {
            if let record = try? decode(LayerRecord.self, name) { records.append(record) }
        }
        return records
    }

    // MARK: JSON

    private func decode<Record: Decodable>(
        _ type: Record.Type, _ name: String
    ) throws(LayerStoreError) -> Record? {
        guard let content = try directory.read(name) else { return nil }
        do {
            return try JSONDecoder().decode(type, from: Data(content))
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
            JSONSyntax.firstError(in: content).map { "it is no JSON at line \($0.line), column \($0.column)" }
                ?? context.debugDescription
        default: "\(error)"
        }
    }
}

/// JSON as the store writes it: one line, keys in order.
enum StoreJSON {
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }
}
