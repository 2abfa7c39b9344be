import DeviceMapper

/// Makes a device that shows the first MiB of another one, and prints its path: `LinearDevice NAME DEVICE`.
@main
struct LinearDevice {
    static func main() throws {
        guard CommandLine.arguments.count == 3 else {
            print("usage: LinearDevice NAME DEVICE")
            return
        }
        let control = try Control()
        let table = MappingTable(LinearTarget(device: .path(CommandLine.arguments[2]), start: 0), length: 2048)
        let device = try control.activateDevice(DeviceName(CommandLine.arguments[1]), table: table)
        print(device.node)
    }
}
