import DeviceMapper
import Glibc
import LayerStore
import SystemPackage
import TestSupport
import ThinProvisioning

/// Proves that a store and its kernel are whole after a round.
struct RoundVerification {
    private let settings: RoundSettings
    private let snapshots: SnapshotWork
    private var found: [String] = []
    private var root: FilePath { FilePath(settings.root) }

    init(_ settings: RoundSettings, _ snapshots: SnapshotWork) {
        self.settings = settings
        self.snapshots = snapshots
    }

    /// Finds the faults of the store and of its kernel, and shuts the store down.
    func faults() throws -> [String] {
        var verification = self
        do {
            try verification.run()
        } catch {
            verification.found.append("the verification: \(error)")
        }
        verification.checkKernelLog()
        return verification.found
    }

    private mutating func run() throws {
        try checkSuspensions()
        // The first operation after a kill puts its remains right.
        let store = try LayerStore(opening: root, removals: .beforeReturning)
        _ = try store.poolReport()
        _ = try store.trim()
        check("check of the store at work", "\(settings.command) check")
        try checkContent(of: store)
        found += try snapshots.faults(in: store)
        try store.shutdown()
        checkWhatIsLeft()
        check("check of the store at rest", "\(settings.command) check")
    }

    private mutating func check(_ what: String, _ command: String) {
        do {
            let (status, output) = try Shell.runForStatus(
                "timeout \(settings.limit + 30) bash -c \"$(cat <<'COMMAND'\n\(command)\nCOMMAND\n)\"")
            if status != 0 { found.append("\(what): status \(status): \(output)") }
        } catch {
            found.append("\(what): \(error)")
        }
    }

    /// The next command resumes what a killed one left suspended.
    private mutating func checkSuspensions() throws {
        check("list", "\(settings.command) list > /dev/null")
        for device in try Control().devices(withPrefix: "docker-") {
            let information = try Control().information(on: .number(device.number))
            if information.isSuspended { found.append("the device \(device.name) is suspended") }
        }
    }

    private mutating func checkContent(of store: LayerStore) throws {
        var expected: [String: Set<String>] = [:]
        for file in try Shell.run("ls '\(settings.work)'/p*t*-kept 2> /dev/null || true").split(separator: "\n") {
            expected.merge(try KeptLayers(FilePath(String(file))).files) { first, _ in first }
        }
        // Without its file a lane has ended early, and says so itself.
        let isComplete = expected.count > 0
        for listing in try store.layers() {
            guard case .layer(let id, let record) = listing else {
                found.append("damaged: \(listing)")
                continue
            }
            if id != .base, let files = expected.removeValue(forKey: id.text) {
                let seen = try MarkerFile.all(in: store.mount(id)).whole
                if !files.isSubset(of: seen) { found.append("layer \(id) lacks \(files.subtracting(seen).sorted())") }
                try store.unmount(id)
            }
            try checkFilesystem(of: id, record)
        }
        if isComplete, !expected.isEmpty { found.append("these layers are lost: \(expected.keys.sorted())") }
    }

    /// Lets the file system's own program look at a layer through a device that the store knows nothing of.
    private mutating func checkFilesystem(of id: LayerID, _ record: LayerRecord) throws {
        let control = try Control()
        guard
            let pool = try control.devices(withPrefix: "docker-").first(where: {
                $0.name.description.hasSuffix("-pool")
            })
        else { return found.append("there is no pool") }
        let device = try ThinPool(control, open: .name(pool.name)).activate(
            record.deviceID, name: DeviceName("stress-check"), uuid: nil,
            length: Sectors(wholeSectorsIn: record.size), isReadOnly: true)
        let node = "/dev/dm-\(device.number.minor)"
        // A layer that a killed command left mounted has a journal to be replayed; it was mounted and unmounted since.
        check(
            "the file system of layer \(id)",
            "if [ \"$(blkid -p -o value -s TYPE \(node))\" = xfs ]; then xfs_repair -n \(node); else e2fsck -fn \(node); fi"
        )
        try control.removeDevice(.name(device.name))
    }

    private mutating func checkWhatIsLeft() {
        check("mapped devices", "dmsetup ls; test \"$(dmsetup ls)\" = 'No devices found'")
        check("loop devices", "losetup --list --noheadings; test -z \"$(losetup --list --noheadings)\"")
        check("mounts", "grep ' \(root)/' /proc/self/mountinfo && exit 1; exit 0")
        check("the pool's metadata", "thin_check '\(root)/devicemapper/metadata'")
        check(
            "thin devices and layers",
            """
            cd '\(root)/metadata'
            ls -A | grep -E '^[.](removed|tmp)' && exit 1
            thin_ls --no-headers -o DEV ../devicemapper/metadata | tr -d ' ' | sort > /run/stress/devices
            find . -type f ! -name '.*' ! -name '*-metadata' | xargs jq .device_id | sort > /run/stress/layers
            diff /run/stress/devices /run/stress/layers
            """)
    }

    private mutating func checkKernelLog() {
        check(
            "the kernel's log",
            "dmesg | grep -E 'BUG|WARNING|Oops|hung task|blocked for more than|rcu.*stall|EXT4-fs error|XFS.*(orrupt|shutdown)|I/O error|needs_check' && exit 1; exit 0"
        )
    }
}
