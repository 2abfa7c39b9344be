internal import ArgumentParser
internal import DeviceMapper

/// The command `dm setgeometry`.
struct DMSetGeometry: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "setgeometry",
        abstract: "Set the geometry of a device, which partitioning programs may ask for.")

    @Argument(help: "The device's name.", transform: { try DeviceName(existing: $0) })
    var device: DeviceName

    @Argument(help: "The number of cylinders.")
    var cylinders: UInt32

    @Argument(help: "The number of heads.")
    var heads: UInt32

    @Argument(help: "The number of sectors of a track.")
    var sectors: UInt32

    @Argument(help: "The sector at which the device begins on the disk.")
    var start: UInt64

    @OptionGroup var options: OutputOptions

    func run() throws {
        let control = try Control()
        try control.setGeometry(
            of: .name(device), cylinders: cylinders, heads: heads, sectorsPerTrack: sectors, start: Sectors(start))
        try options.output.print(json: InfoRecord(try control.information(on: .name(device))), text: nil)
    }
}
