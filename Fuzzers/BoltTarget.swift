import SystemPackage

@testable import ContainerdSnapshotter

extension FuzzTarget {
    /// A database of containerd's devmapper snapshotter: as it comes, or a real one with bytes changed and the checksums of its first
    /// two pages made right again.
    static let databases = FuzzTarget(name: "databases") { input in
        var reader = InputReader(input)
        let kind = reader.byte()
        var bytes: [UInt8]
        switch kind % 3 {
        case 0: bytes = reader.remaining()
        case 1: bytes = snapshotDatabase
        default: bytes = poolDatabase
        }
        // A place, and what stands there.
        while !reader.isEmpty, !bytes.isEmpty {
            let place = Int(reader.number(3)) % bytes.count
            bytes[place] = reader.byte()
        }
        if kind & 0x80 == 0 { for page in [0, 4096] where bytes.count >= page + 80 { sign(&bytes, page) } }
        guard let root = accepting({ () throws(BoltError) in try BoltFile(bytes).root }) else { return }
        demand(size(of: root) <= bytes.count * 16, "more comes out than the file has")
        accepting { () throws(BoltError) in
            _ = try SnapshotterRenaming(BoltFile(bytes), from: "devmapper", to: "dmlayer")
        }
        accepting { () throws(BoltError) in _ = try DevmapperRecords.devices(in: root) }
        guard let snapshots = accepting({ () throws(BoltError) in try DevmapperRecords.snapshots(in: root) }) else {
            return
        }
        let plan = AdoptionPlan(DevmapperRecords(snapshots: snapshots), pool: "devpool", thinDevices: [])
        demand(
            plan.layers.isEmpty && plan.refusals.count <= snapshots.count, "a snapshot without a device becomes a layer"
        )
    }

    private static let snapshotDatabase = database("metadata.db")
    private static let poolDatabase = database("devpool.db")

    /// Writes the checksum of a page that says where everything is.
    private static func sign(_ bytes: inout [UInt8], _ page: Int) {
        let sum = BoltMeta.checksum(bytes[(page + 16)..<(page + 72)])
        for index in 0..<8 { bytes[page + 72 + index] = UInt8(truncatingIfNeeded: sum >> (index * 8)) }
    }

    private static func database(_ name: String) -> [UInt8] {
        let path = FilePath("fixtures/containerd-1.7-devmapper").appending(name)
        // Without the file, only bytes without a form are tried.
        guard let file = try? FileDescriptor.open(path, .readOnly) else { return [] }
        var bytes = [UInt8](repeating: 0, count: 1 << 18)
        // A file that cannot be read is one without bytes.
        let count = (try? unsafe bytes.withUnsafeMutableBytes { unsafe try file.read(into: $0) }) ?? 0
        return Array(bytes.prefix(count))
    }

    private static func size(of bucket: BoltBucket) -> Int {
        bucket.entries.reduce(0) { sum, entry in
            switch entry.item {
            case .value(let value): sum + entry.key.count + value.count
            case .bucket(let inner): sum + entry.key.count + size(of: inner)
            }
        }
    }
}
