import BenchmarkFloor
import DeviceMapper
import Glibc
import SystemPackage

/// The floor: thin devices of a store's own pool, made and mounted with bare ioctls.
///
/// Their numbers are far above those that the store comes to use.
final class RawLayers: Sendable {
    static let firstID: UInt32 = 8_000_000

    let mountPoints: FilePath
    private let floor: floor_pool
    private let sectors: UInt64
    private let prefix: String

    /// - Parameters:
    ///   - pool: The number of the pool's device.
    ///   - directory: A directory on the file system of the store's root, for the journal and the mount points.
    ///   - sectors: The size of the devices.
    init(pool: DeviceNumber, directory: FilePath, sectors: UInt64) throws {
        try makeDirectory(directory)
        mountPoints = directory
        let control = try FileDescriptor.open(KernelTransport.controlPath, .readWrite, options: .closeOnExec)
        let journal = try FileDescriptor.open(
            directory.appending("journal"), .writeOnly, options: [.create, .append, .closeOnExec],
            permissions: .ownerReadWrite)
        floor = floor_pool(control: control.rawValue, pool: pool.encoded, journal: journal.rawValue)
        self.sectors = sectors
        prefix = "floor-\(pool.minor)-"
    }

    deinit {
        close(floor.journal)
        close(floor.control)
    }

    func create(_ id: UInt32, of origin: UInt32) throws { try check(floor_create(floor, id, origin)) }

    func mount(_ id: UInt32) throws {
        let directory = mountPoint(of: id)
        try check(unsafe floor_mount(floor, id, sectors, prefix + String(id), directory.string, "ext4"))
    }

    func unmount(_ id: UInt32) throws {
        try check(unsafe floor_unmount(floor, prefix + String(id), mountPoint(of: id).string))
    }

    /// Makes a device active that is not mounted.
    func activate(_ id: UInt32) throws {
        var number: UInt32 = 0
        try check(unsafe floor_activate(floor, id, sectors, prefix + String(id), &number))
    }

    func deactivate(_ id: UInt32) throws { try check(unsafe floor_deactivate(floor, prefix + String(id))) }

    /// Writes something durably.
    func note() throws { try check(floor_note(floor)) }

    func delete(_ id: UInt32) throws { try check(floor_delete(floor, id)) }

    /// Lets the pool commit its metadata.
    func commit() throws { try check(floor_commit(floor)) }

    func mountPoint(of id: UInt32) -> FilePath { mountPoints.appending(String(id)) }

    private func check(_ errno: CInt) throws {
        guard errno == 0 else { throw Errno(rawValue: errno) }
    }
}

/// Makes a directory unless it exists.
func makeDirectory(_ path: FilePath) throws {
    guard unsafe mkdir(path.string, 0o700) == 0 || errno == EEXIST else { throw Errno(rawValue: errno) }
}
