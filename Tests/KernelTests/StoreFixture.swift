import BlockDevices
import DeviceMapper
import Glibc
import LayerStore
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

/// A store of one test, on a file system of its own: ext4 on a disk in memory, as real roots are.
///
/// ``finish()`` is the end of every test: it proves that nothing is left and that the pool's metadata is whole.
final class StoreFixture: Sendable {
    let scratch: ScratchDirectory
    let root: FilePath
    let transport: FaultyTransport
    let store: LayerStore

    static let options = [
        "dm.basesize=300m", "dm.loopdatasize=1g", "dm.loopmetadatasize=16m", "dm.fs=ext4", "dm.min_free_space=1%",
    ]

    init(_ options: [String] = [], rootSize: String = "1500m", rootFilesystem: String = "ext4 -E nodiscard") throws {
        scratch = try ScratchDirectory()
        let disk = scratch.appending("disk")
        root = scratch.appending("fs/root")
        try Shell.run(
            """
            truncate --size=\(rootSize) '\(disk)' && mkfs.\(rootFilesystem) -q '\(disk)' && mkdir '\(scratch.path)/fs'
            mount -o loop '\(disk)' '\(scratch.path)/fs'
            """)
        transport = FaultyTransport(try KernelTransport())
        store = try LayerStore.initialize(
            root, options: StorageOptions(parsing: Self.options + options), transport: transport,
            removals: .beforeReturning)
    }

    deinit {
        transport.disarm()
        for entry in (try? store.layers()) ?? [] {
            if case .layer(let id, _) = entry { _ = try? Shell.run("umount -l '\(root)/mnt/\(id)'") }
        }
        _ = try? store.shutdown()
    }

    /// Opens the store once more, as another process would.
    func reopened(
        _ removals: RemovalPolicy = .beforeReturning, patience: Duration = .seconds(30)
    ) throws -> LayerStore {
        try LayerStore(opening: root, transport: transport, removals: removals, patience: patience)
    }

    /// Removes the store's mapped devices without a word to the store.
    func takeDownAsACrashDoes() throws {
        for name in try devices().sorted(by: { left, _ in !left.hasSuffix("-pool") }) {
            try Shell.run("dmsetup remove --retry '\(name)'")
        }
        // The content of the lock file says of what start of the machine it is; here it says nothing, and keeps its block.
        try Shell.run("printf x | dd of='\(root)/lock' conv=notrunc status=none")
    }

    /// The names of the store's mapped devices.
    func devices() throws -> [String] {
        try Control().devices(withPrefix: try prefix()).map(\.name.description)
    }

    private func prefix() throws -> String {
        let status = try Stat(root)
        return "docker-\(DeviceNumber(status.deviceID))-\(status.inode.rawValue)-"
    }

    /// The numbers of the thin devices that the pool has; the pool must not be active.
    func thinDeviceIDs() throws -> [Int] {
        try Shell.run("thin_ls --no-headers -o DEV '\(root)/devicemapper/metadata'")
            .split(separator: "\n").compactMap { Int($0.filter(\.isNumber)) }.sorted()
    }

    /// The numbers that the metadata files name.
    func registeredIDs() throws -> [Int] {
        try store.layers().compactMap { entry in
            if case .layer(_, let record) = entry { Int(record.deviceID.value) } else { nil }
        }.sorted()
    }

    /// Shuts the store down and proves that nothing is left, lost or damaged.
    func finish() throws {
        try store.shutdown()
        #expect(try devices() == [])
        #expect(try Shell.run("losetup --list --noheadings --output BACK-FILE | grep -c '^\(root)/' || true") == "0")
        #expect(try Shell.run("grep -c ' \(root)/' /proc/self/mountinfo || true") == "0")
        try Shell.run("thin_check --quiet '\(root)/devicemapper/metadata'")
        #expect(try thinDeviceIDs() == registeredIDs())
    }

    /// Runs the command on the store.
    func run(_ arguments: String) throws -> (status: Int, output: String) {
        try DMLayerCommand.runForStatus("--root '\(root)' \(arguments)")
    }
}

extension LayerStore {
    /// Mounts a layer, writes a file into it and unmounts it.
    func write(_ text: String, to file: String, in id: LayerID) throws {
        let path = try mount(id).appending(file)
        try Shell.run("printf %s '\(text)' > '\(path)'")
        try unmount(id)
    }

    /// Mounts a layer, reads a file and unmounts the layer.
    func read(_ file: String, in id: LayerID) throws -> String {
        let path = try mount(id).appending(file)
        let text = try Shell.run("cat '\(path)'")
        try unmount(id)
        return text
    }
}
