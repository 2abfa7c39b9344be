internal import BlockDevices
internal import DeviceMapper
internal import Filesystems
internal import SystemCalls
internal import SystemPackage
internal import ThinProvisioning

/// The content of a layer, held open: until ``close()``, the layer stays mounted.
final class LayerContent {
    let id: LayerID
    /// The layer's thin device.
    let thinDevice: ThinDeviceID
    /// The number of the layer's mapped device.
    let device: DeviceNumber
    /// The directory with the content; `nil` if neither the layer nor any of its ancestors was ever mounted.
    private(set) var directory: FileDescriptor?
    /// A mount without a mount point that keeps the file system open; `nil` where the layer is mounted already.
    private var mount: DetachedMount?
    /// Whether the layer's device was made for this and goes when it is closed.
    let ownsDevice: Bool
    /// Whether the file system keeps the times of its files in memory only, as it may when it is mounted elsewhere.
    let keepsTimesBack: Bool

    /// Opens the content of a layer that is mounted at a place.
    init(
        of id: LayerID, _ thinDevice: ThinDeviceID, on device: DeviceNumber, at path: FilePath, keepsTimesBack: Bool
    ) throws {
        self.id = id
        self.thinDevice = thinDevice
        self.device = device
        self.keepsTimesBack = keepsTimesBack
        ownsDevice = false
        directory = try .open(path, .readOnly, options: [.directory, .closeOnExec, .noFollow])
    }

    /// Opens the content of a layer that is mounted for this.
    init(
        of id: LayerID, _ record: LayerRecord, on device: DeviceNumber, _ mount: DetachedMount, ownsDevice: Bool
    ) throws(Errno) {
        self.id = id
        thinDevice = record.deviceID
        self.device = device
        keepsTimesBack = !ownsDevice
        self.mount = mount
        self.ownsDevice = ownsDevice
        do {
            let descriptor = try systemCall {
                unsafe openat(
                    mount.root.rawValue, record.content.relativePath,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
            }
            directory = FileDescriptor(rawValue: descriptor)
        } catch .noSuchFileOrDirectory {
            directory = nil
        }
    }

    deinit { close() }

    func close() {
        // Only read through it.
        try? directory?.close()
        directory = nil
        mount = nil
    }
}
