import Glibc
import SystemPackage

@testable import LayerStore

extension FuzzTarget {
    static func layerIdentifiers(_ text: String) {
        guard let id = accepting({ () throws(LayerStoreError) in try LayerID(text) }) else { return }
        demand(id.text == text && !text.utf8.contains(0), "the id “\(text)” is changed")
        // It is the name of a file of the store's, and of nothing else.
        demand(FilePath.Component(text)?.kind == .regular, "“\(text)” is no name of a file")
        demand(text.first != "." && !LayerID.reserved.contains(text), "“\(text)” is a name of the store's own")
    }

    /// The metadata files.
    static let records = FuzzTarget(name: "records") { input in
        roundTrip(LayerRecord.self, input)
        roundTrip(DeviceSetRecord.self, input)
        roundTrip(DockerTransaction.self, input)
        if let configuration = roundTrip(StoreConfiguration.self, input) {
            accepting { () throws(LayerStoreError) in try configuration.check() }
        }
        if let place = JSONSyntax.firstError(in: input) {
            let lines = input.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            demand(lines.indices.contains(place.line - 1), "the error is in line \(place.line) of \(lines.count)")
            demand(
                (1...lines[place.line - 1].count + 1).contains(place.column),
                "the error is in column \(place.column) of \(lines[place.line - 1].count)")
        }
    }

    @discardableResult
    private static func roundTrip<Record: Codable & Equatable>(_ type: Record.Type, _ input: [UInt8]) -> Record? {
        let record: Record
        do {
            record = try StoreJSON.decode(type, input)
        } catch {
            demand(StoreJSON.explain(error, input).utf8.count > 8, "a file is refused without a reason")
            return nil
        }
        let written = accepting { try StoreJSON.encode(record) }
        let again = written.flatMap { try? StoreJSON.decode(type, $0) }
        demand(again == record, "\(record) is read back as something else")
        return record
    }

    /// Docker's daemon.json.
    static let daemon = FuzzTarget(name: "daemon") { input in
        let path = FilePath("/dev/shm/fuzz-daemon-\(getpid()).json")
        do {
            let file = try FileDescriptor.open(
                path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
            _ = try file.closeAfter { try file.writeAll(input) }
        } catch {
            demand(false, "cannot write \(path): \(error)")
        }
        if let configuration = accepting({ () throws(LayerStoreError) in try DaemonConfiguration(reading: path) }) {
            accepting { () throws(LayerStoreError) in try StorageOptions(parsing: configuration.storageOptions) }
        }
    }

    /// Storage options, one a line, and sizes.
    static let options = FuzzTarget(name: "options") { input in
        let lines = String(decoding: input, as: UTF8.self).split(separator: "\n").map(String.init)
        for line in lines {
            guard let size = ByteSize.parse(line) else { continue }
            demand(size <= UInt64(Int64.max), "the size \(line) does not fit into 63 bits")
            demand(ByteSize.parse("\(size)") == size, "\(size) is read as another size")
            demand(!ByteSize.decimal(size).isEmpty, "a size is not printed")
        }
        guard let options = accepting({ () throws(LayerStoreError) in try StorageOptions(parsing: lines) }) else {
            return
        }
        let again = accepting { () throws(LayerStoreError) in try StorageOptions(parsing: lines) }
        demand(again == options, "the same options are read as others")
        if let percent = options.minimumFreeSpacePercent { demand((0...99).contains(percent), "\(percent)% are free") }
        if let blockSize = options.blockSize {
            demand(blockSize % 65536 == 0 && blockSize > 0, "blocks of \(blockSize)")
        }
        let configuration = StoreConfiguration(new: options, defaultFilesystem: .ext4)
        accepting { () throws(LayerStoreError) in try configuration.check() }
        accepting { () throws(LayerStoreError) in try configuration.check(options) }
    }
}
