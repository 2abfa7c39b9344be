import BlockDevices
import DeviceMapper
import Glibc
import LayerStore
import Synchronization
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

/// A store of one test, on a file system of its own: ext4 on a disk in memory, as real roots are.
///
/// At the end of every test the store is shut down, and nothing of it may be left in the kernel. ``finish()`` proves this,
/// and that the pool's metadata is whole. A test that does not call it is judged when the fixture goes away, but for the
/// metadata. A test that leaves something on purpose says so with ``leavesRemains(because:)``.
final class StoreFixture: Sendable {
    let scratch: ScratchDirectory
    let root: FilePath
    let transport: FaultyTransport
    let store: LayerStore
    private let remains: StoreRemains
    private let isJudged = Atomic(false)

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
        remains = try StoreRemains(of: root, storeID: store.configuration.storeID)
    }

    deinit {
        transport.disarm()
        if !isJudged.load(ordering: .relaxed) { judge() }
        // A test that failed may have left anything; the next test must not find it.
        for entry in (try? store.layers()) ?? [] {
            if case .layer(let id, _) = entry { _ = try? Shell.run("umount -l '\(root)/mnt/\(id)'") }
        }
        _ = try? store.shutdown()
    }

    /// Shuts the store down as far as that is possible, and reports as failures of the test what is left.
    private func judge() {
        isJudged.store(true, ordering: .relaxed)
        do {
            let suspended = try remains.suspended()
            #expect(suspended == [], "at the end of the test")
            // A device that stands still would keep the shutdown waiting.
            for device in try remains.devices() where device.isSuspended {
                try Control().resumeDevice(.name(device.name))
            }
            try store.shutdown()
            let left = try remains.everything()
            #expect(left == [], "after the shutdown at the end of the test")
        } catch {
            Issue.record(error, "at the end of a test that does not call finish()")
        }
    }

    /// Says that the store cannot be shut down at the end of this test, or leaves something, on purpose.
    func leavesRemains(because reason: String) {
        isJudged.store(true, ordering: .relaxed)
    }

    /// Opens the store once more, as another process would.
    func reopened(
        _ removals: RemovalPolicy = .beforeReturning, patience: Duration = .seconds(30)
    ) throws -> LayerStore {
        try LayerStore(opening: root, transport: transport, removals: removals, patience: patience)
    }

    /// Removes the store's mapped devices without a word to the store.
    ///
    /// A thread of the store may remove a device at the same time; then `dmsetup` fails, and the device is gone as well.
    func takeDownAsACrashDoes() throws {
        for name in try devices().sorted(by: { left, _ in !left.hasSuffix("-pool") }) {
            do {
                try Shell.run("dmsetup remove --retry '\(name)'")
            } catch {
                guard try !devices().contains(name) else { throw error }
            }
        }
        // The content of the lock file says of what start of the machine it is; here it says nothing, and keeps its block.
        try Shell.run("printf x | dd of='\(root)/lock' conv=notrunc status=none")
    }

    /// The names of the store's mapped devices.
    func devices() throws -> [String] {
        try remains.devices().map(\.name.description)
    }

    /// The store's devices that are suspended, in words.
    func suspendedDevices() throws -> [String] {
        try remains.suspended()
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
        isJudged.store(true, ordering: .relaxed)
        #expect(try suspendedDevices() == [])
        try store.shutdown()
        #expect(try remains.everything() == [])
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
