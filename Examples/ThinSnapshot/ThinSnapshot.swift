import BlockDevices
import DeviceMapper
import SystemPackage
import ThinProvisioning

/// Makes a thin pool on two files, a thin device in it and a snapshot of that, and says how much space they take:
/// `ThinSnapshot METADATA-FILE DATA-FILE`.
///
/// The metadata file is full of zeros, which makes the kernel format it; both have their sizes already.
@main
struct ThinSnapshot {
    static func main() throws {
        guard CommandLine.arguments.count == 3 else {
            print("usage: ThinSnapshot METADATA-FILE DATA-FILE")
            return
        }
        // The files stay attached for as long as the pool uses them.
        let metadata = try LoopDevice.attach(FilePath(CommandLine.arguments[1]))
        let data = try LoopDevice.attach(FilePath(CommandLine.arguments[2]))

        let control = try Control()
        let target = ThinPoolTarget(
            metadataDevice: .number(metadata.number), dataDevice: .number(data.number), blockSize: 128,
            lowWaterMark: 16)
        let pool = try ThinPool.activate(
            control, name: DeviceName("example-pool"), target: target,
            length: Sectors(wholeSectorsIn: data.device.size()))
        defer { remove(["example-copy", "example-thin", "example-pool"], control) }

        guard let first = ThinDeviceID(0), let second = ThinDeviceID(1) else { return }
        try pool.createDevice(first)
        let thin = try pool.activate(first, name: DeviceName("example-thin"), length: 20_480)
        try write("hello", to: thin)

        // The thin device is suspended while it is copied, so that the copy is of one moment.
        try pool.createSnapshot(second, of: first, active: thin.reference)
        let copy = try pool.activate(second, name: DeviceName("example-copy"), length: 20_480)
        print("the copy reads “\(try read(5, from: copy))”")

        guard case .available(let state) = try pool.status(flushing: true) else { return }
        print("both take \(state.data.used) block of the pool")
    }

    /// Removes the devices that there are, those on top first; this is the end of the program, so an error has no use.
    private static func remove(_ names: [String], _ control: Control) {
        for name in names { _ = try? control.removeDevice(.name(DeviceName(name))) }
    }

    /// Writes a text into the first block.
    private static func write(_ text: String, to device: DeviceInformation) throws {
        let node = try BlockDevice(device.node, .readWrite)
        defer { node.close() }
        try node.write(Array(text.utf8), offset: 0)
        try node.flush()
    }

    private static func read(_ count: Int, from device: DeviceInformation) throws -> String {
        let node = try BlockDevice(device.node)
        defer { node.close() }
        return String(decoding: try node.read(offset: 0, count: count), as: UTF8.self)
    }
}
