import DeviceMapper
import Glibc
import LayerStore
import SystemPackage
import TestSupport
import ThinProvisioning

/// Where the root of a store is.
enum Place: String, Encodable, CaseIterable, Sendable {
    /// On ext4 on a disk, where a synchronisation is one.
    case disk = "ext4 on a disk"
    /// In memory, where a synchronisation costs nothing: what is left is the kernel's work and ours.
    case memory = "tmpfs"
}

/// A file system with stores on it.
final class Volume: Sendable {
    let place: Place
    let directory: FilePath

    init(_ place: Place, disk: String) throws {
        self.place = place
        directory = FilePath("/run/bench-\(place == .disk ? "disk" : "memory")")
        switch place {
        case .disk: try Shell.run("mkfs.ext4 -q -F '\(disk)' && mkdir '\(directory)' && mount '\(disk)' '\(directory)'")
        case .memory: try Shell.run("mkdir '\(directory)' && mount -t tmpfs -o size=90% bench '\(directory)'")
        }
    }

    deinit { _ = try? Shell.run("umount '\(directory)' && rmdir '\(directory)'") }
}

/// A store, the floor on its pool, and the counters of the pool.
final class BenchmarkStore: Sendable {
    static let options = [
        "dm.basesize=1g", "dm.loopdatasize=4g", "dm.loopmetadatasize=256m", "dm.fs=ext4", "dm.min_free_space=1%",
    ]

    let root: FilePath
    let store: LayerStore
    let raw: RawLayers
    /// A layer with a file, that has been mounted: what the others are made from.
    let image: LayerID
    let imageDevice: UInt32
    private let metadataStatistics: String
    /// Unmounted after the store has been shut down.
    private let volume: Volume

    init(_ volume: Volume, _ name: String = "store") throws {
        self.volume = volume
        root = volume.directory.appending(name)
        store = try LayerStore.initialize(root, options: StorageOptions(parsing: Self.options))
        image = try LayerID("image")
        imageDevice = try store.create(image).deviceID.value
        try Shell.run("echo content > '\(try store.mount(image))/file'")
        try store.unmount(image)
        raw = try RawLayers(
            pool: try Self.pool(of: root), directory: volume.directory.appending(name + "-floor"),
            sectors: (1 << 30) / 512)
        let loop = try Shell.run(
            "basename $(losetup --list --noheadings --output NAME --associated '\(root)/devicemapper/metadata')")
        metadataStatistics = "/sys/block/\(loop)/stat"
    }

    /// Another object for the same store.
    func opened(_ removals: RemovalPolicy = .inBackground, options: [String] = []) throws -> LayerStore {
        try LayerStore(opening: root, options: StorageOptions(parsing: options), removals: removals)
    }

    /// The number of the device of a store's pool, which is active.
    static func pool(of root: FilePath) throws -> DeviceNumber {
        let status = try Stat(root)
        let name = "docker-\(DeviceNumber(status.deviceID))-\(status.inode.rawValue)-pool"
        return try Control().information(on: .name(DeviceName(name))).number
    }

    /// How many commits the pool makes in `body`.
    ///
    /// They are counted by the flushes of the metadata device: always as many for each, which depends on the kernel.
    func commits(_ body: () throws -> Void) throws -> Double {
        let rounds = 10
        let unit = try Double(flushes { for _ in 0..<rounds { try raw.commit() } }) / Double(rounds)
        return try Double(flushes(body)) / unit
    }

    private func flushes(_ body: () throws -> Void) throws -> Int {
        let before = try flushCount()
        try body()
        return try flushCount() - before
    }

    /// Documentation/block/stat.rst: the 16th field.
    private func flushCount() throws -> Int {
        let fields = try Shell.run("cat \(metadataStatistics)").split(separator: " ")
        guard fields.count > 15, let count = Int(fields[15]) else { throw Errno.notSupported }
        return count
    }

    /// Waits until the data of all removed layers is free.
    func waitForRemovals() throws {
        try Patience.until { try Shell.run("ls -A '\(root)/metadata' | grep -c '^.removed-' || true") == "0" }
    }

    func remove(_ layers: [LayerID]) throws {
        for layer in layers { try store.remove(layer) }
        try waitForRemovals()
    }

    deinit { try? store.shutdown() }
}
