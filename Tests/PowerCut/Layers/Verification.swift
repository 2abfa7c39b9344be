import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import ThinProvisioning

/// Looks at what a power cut has left, as the first start after it.
struct Verification {
    private let disk: String
    private let root: FilePath
    private let program: FilePath
    private var expectations: Expectations
    private var random: SeededRandom
    /// The faults that were found.
    private(set) var faults: [String] = []
    /// How many layers and files were found to be whole.
    private(set) var layers = 0
    private(set) var files = 0

    /// - Parameters:
    ///   - disk: The block device of the image.
    ///   - mountPoint: Where to mount it; the store is in `store` there.
    ///   - program: The command `dmlayer`.
    init(disk: String, mountPoint: FilePath, program: FilePath, _ expectations: Expectations, seed: UInt64) {
        self.disk = disk
        root = mountPoint.appending("store")
        self.program = program
        self.expectations = expectations
        random = SeededRandom(seed: seed)
    }

    /// Starts the store, proves that it is as expected, shuts it down and lets others check what is on the disk.
    ///
    /// - Returns: The present content, all of it required.
    mutating func run() throws -> Expectations {
        let mountPoint = root.removingLastComponent()
        try Shell.run("mkdir -p '\(mountPoint)' && mount '\(disk)' '\(mountPoint)'")
        try start()
        try checkStore()
        try command("shutdown")
        for (what, command) in LeftOvers.checks(of: root) { faults.check(what, command) }
        try Shell.run("umount '\(mountPoint)'")
        let isXFS = try Shell.run("blkid --match-tag TYPE --output value '\(disk)'") == "xfs"
        faults.check("the file system of the root", "\(isXFS ? "xfs_repair -n" : "e2fsck -fn") '\(disk)'")
        return expectations
    }

    private func command(_ arguments: String) throws {
        try Shell.run("'\(program)' --root '\(root)' \(arguments)")
    }

    /// The first command after the power cut, which finds the pool down and what was interrupted.
    private mutating func start() throws {
        if !expectations.isInitialized {
            let options = Workload.options.map { "--storage-opt \($0)" }.joined(separator: " ")
            try command("\(options) init")
            expectations.isInitialized = true
        }
        let known = expectations.layers.filter(\.value.isRequired).keys.sorted()
        switch Int.random(in: 0..<4, using: &random) {
        case 0: try command("info > /dev/null")
        case 1: try command("create first")
        case 2:
            guard let layer = known.randomElement(using: &random) else { return try command("create first") }
            try command("mount '\(layer)' > /dev/null")
            try command("unmount '\(layer)'")
        default:
            guard let parent = known.randomElement(using: &random) else { return try command("create first") }
            try command("create first --parent '\(parent)'")
        }
    }

    // MARK: The layers

    private mutating func checkStore() throws {
        let store = try LayerStore(opening: root)
        try checkLayers(of: store)
        try checkThatItWorks(store)
    }

    private mutating func checkLayers(of store: LayerStore) throws {
        let control = try Control()
        for device in try control.devices(withPrefix: "") {
            let information = try control.information(on: .number(device.number))
            if information.isSuspended { faults.append("the device \(device.name) is suspended") }
        }
        let pool = try store.status().data.total
        if pool < expectations.poolSize {
            faults.append("the pool has \(pool) bytes, and \(expectations.poolSize) were acknowledged")
        }
        var found: Set<String> = []
        for entry in try store.layers() {
            switch entry {
            case .damaged(let name, let reason): faults.append("the metadata of layer \(name): \(reason)")
            case .layer(.base, let record): try checkFilesystem(of: .base, record, control)
            case .layer(let id, let record):
                if id.text == "first" { continue }
                guard let expected = expectations.layers[id.text] else {
                    faults.append("layer \(id) is there, which was removed or never made")
                    continue
                }
                found.insert(id.text)
                try checkContent(of: id, expected, in: store)
                try checkFilesystem(of: id, record, control, size: expected.size)
                layers += 1
            }
        }
        for (name, layer) in expectations.layers where !found.contains(name) {
            if layer.isRequired { faults.append("layer \(name) is lost") }
            expectations.layers[name] = nil
        }
        for name in found { expectations.layers[name]?.isRequired = true }
    }

    private mutating func checkContent(of id: LayerID, _ expected: Expectations.Layer, in store: LayerStore) throws {
        let directory = try store.mount(id)
        for (name, file) in expected.files {
            if let fault = try FileContent.fault(in: name, file, in: directory) {
                faults.append("file \(name) of layer \(id) \(fault); expected was \(file.stamps.sorted())")
            }
            files += 1
        }
        try store.unmount(id)
    }

    /// Lets e2fsck look at a layer through a device that the store knows nothing of.
    private mutating func checkFilesystem(
        of id: LayerID, _ record: LayerRecord, _ control: Control, size: UInt64 = 0
    ) throws {
        let devices = try control.devices(withPrefix: "docker-")
        guard let pool = devices.first(where: { $0.name.description.hasSuffix("-pool") }) else {
            return faults.append("there is no pool")
        }
        let device = try ThinPool(control, open: .name(pool.name)).activate(
            record.deviceID, name: DeviceName("powercut-check"), uuid: nil,
            length: Sectors(wholeSectorsIn: record.size), isReadOnly: true)
        let node = "/dev/dm-\(device.number.minor)"
        faults.check("the file system of layer \(id)", "e2fsck -fn \(node)")
        if size > 0 {
            // It may end within the last group of blocks.
            faults.check(
                "the size of layer \(id)",
                """
                dumpe2fs -h \(node) 2>/dev/null | awk '/^Block (count|size):/ { bytes[++n] = $3 } \
                END { exit !(n == 2 && bytes[1] * bytes[2] >= \(size)) }'
                """)
        }
        try control.removeDevice(.name(device.name))
    }

    /// The store goes on.
    private mutating func checkThatItWorks(_ store: LayerStore) throws {
        let id = try LayerID("after")
        try store.create(id)
        try FileContent.write("f2", stamp: "after", in: store.mount(id), synchronizing: true)
        try store.unmount(id)
        try checkContent(
            of: id,
            Expectations.Layer(
                isRequired: true, origin: nil, files: ["f2": .init(isRequired: true, stamps: ["after"])]), in: store)
        for name in ["first", "after"] { try store.remove(LayerID(name)) }
    }
}
