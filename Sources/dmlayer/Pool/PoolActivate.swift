internal import ArgumentParser
internal import DeviceMapper
internal import LogicalVolumes

/// The command `pool activate`.
struct PoolActivate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "activate",
        abstract: "Make the devices of a thin pool of LVM's, as lvchange -ay does.",
        discussion: """
            Commands that need the pool of a store do this by themselves. A pool that is active already is made as long \
            as its volume group says.
            """)

    @OptionGroup var selection: PoolVolume

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let device = try selection.volume(options).activate(try Control(), isReadOnly: options.isReadOnly)
        try options.output.print(
            json: ["device": "\(device.node)", "name": device.name.description],
            text: "/dev/mapper/\(device.name)")
    }
}
