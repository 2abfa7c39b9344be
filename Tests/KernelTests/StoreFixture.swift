import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

/// A small store of one test.
final class StoreFixture: Sendable {
    /// As small as mkfs lets it be.
    static let smallOptions = ["dm.basesize=300m", "dm.loopdatasize=1g", "dm.loopmetadatasize=16m", "dm.fs=ext4"]

    let scratch: ScratchDirectory
    let root: FilePath
    let transport: StoreTransport
    let store: LayerStore
    /// What the names of the store's devices begin with.
    let prefix: String

    init(options: [String] = smallOptions) throws {
        scratch = try ScratchDirectory()
        root = scratch.appending("store")
        transport = try StoreTransport()
        store = try LayerStore.initialize(
            root, options: StorageOptions(parsing: options), transport: transport)
        prefix = String(try store.status().poolName.dropLast("pool".count))
        transport.forget()
    }

    deinit {
        transport.meddle(nil)
        guard let devices = try? Control().devices(withPrefix: prefix), !devices.isEmpty else { return }
        for device in devices { _ = try? Control().resumeDevice(.name(device.name), options: .noFlush) }
        _ = try? store.shutdown()
    }

    /// The store as another process sees it that has just opened it.
    func reopened() throws -> LayerStore {
        try LayerStore(opening: root, transport: transport)
    }

    var dataFile: FilePath { root.appending("devicemapper").appending("data") }
    var metadataFile: FilePath { root.appending("devicemapper").appending("metadata") }

    /// Runs a command in the content of a layer.
    func write(_ command: String, to id: String) throws {
        let path = try store.mount(LayerID(id))
        try Shell.run("cd '\(path)' && \(command)")
        try store.unmount(LayerID(id))
    }

    /// What a command prints in the content of a layer.
    func output(of command: String, in id: String) throws -> String {
        let path = try store.mount(LayerID(id))
        let output = try Shell.run("cd '\(path)' && \(command)")
        try store.unmount(LayerID(id))
        return output
    }

    /// Runs a command with `$device`, a device of the test's own for a layer that is not active.
    func run(_ command: String, onDeviceOf id: String) throws {
        let record = try store.details(of: LayerID(id)).record
        let name = "check-\(UInt32.random(in: 0 ... .max))"
        try Shell.run(
            """
            set -e
            pool=$(dmsetup info --columns --noheadings --separator : --options major,minor \(store.status().poolName))
            dmsetup create \(name) --table "0 \(record.size / 512) thin $pool \(record.deviceID)"
            trap 'dmsetup remove --retry \(name)' EXIT
            device=/dev/dm-$(dmsetup info --columns --noheadings --options minor \(name))
            \(command)
            """)
    }

    /// Runs `dmlayer` on the store.
    @discardableResult
    func command(_ arguments: String) throws -> (status: Int, output: String) {
        try DMLayerCommand.runForStatus("--root '\(root)' \(arguments)")
    }

    /// The ids of the layers in order, without the base device.
    func layerIDs() throws -> [String] {
        try store.layers().compactMap { listing in
            guard case .layer(let id, _) = listing, id != .base else { return nil }
            return id.text
        }
    }

    /// Shuts the store down and checks what is left: nothing in the kernel, and a pool that has exactly the layers.
    func shutDownAndCheck(
        checkingDevices: Bool = true, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        transport.meddle(nil)
        try store.shutdown()
        #expect(try Control().devices(withPrefix: prefix).isEmpty, sourceLocation: sourceLocation)
        for file in [dataFile, metadataFile] {
            #expect(try Shell.run("losetup --associated '\(file)'").isEmpty, sourceLocation: sourceLocation)
        }
        let mounts = try Shell.run("cat /proc/self/mountinfo")
        #expect(!mounts.contains(" \(root)/"), sourceLocation: sourceLocation)
        let (status, output) = try Shell.runForStatus(throughLoop("thin_check $loop"))
        #expect(status == 0, "thin_check: \(output)", sourceLocation: sourceLocation)
        guard checkingDevices else { return }
        let registered = try store.layers().compactMap { listing -> String? in
            guard case .layer(_, let record) = listing else { return nil }
            return record.deviceID.description
        }
        #expect(try thinDevices() == registered.sorted(), sourceLocation: sourceLocation)
        let leftovers = try Shell.run("ls -A '\(root)/metadata' | grep -E '^\\.(tmp|removed)' || true")
        #expect(leftovers.isEmpty, sourceLocation: sourceLocation)
    }

    /// The numbers of the thin devices in the pool, as the metadata file of a pool that is not active has them.
    func thinDevices() throws -> [String] {
        try Shell.run(throughLoop("thin_ls --no-headers --format DEV $loop"))
            .split(whereSeparator: \.isWhitespace).map(String.init).sorted()
    }

    /// A command with `$loop` for the metadata file: a tmpfs has no direct I/O, which these tools insist on.
    private func throughLoop(_ command: String) -> String {
        "loop=$(losetup --find --show --read-only '\(metadataFile)') && trap \"losetup --detach $loop\" EXIT && \(command)"
    }

    /// Whether `error` is one of the store's with a code.
    static func has(_ code: LayerStoreError.Code, _ error: any Error) -> Bool {
        (error as? LayerStoreError)?.code == code
    }
}
