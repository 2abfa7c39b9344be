internal import ArgumentParser
internal import DeviceMapper
internal import LogicalVolumes

/// The command `pool deactivate`.
struct PoolDeactivate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "deactivate",
        abstract: "Remove the devices of a thin pool of LVM's, as lvchange -an does.",
        discussion: "Everything stays on the disks. A pool with active layers stays as it is; see “shutdown”.")

    @OptionGroup var selection: PoolVolume

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let volume = try selection.volume(options)
        try volume.deactivate(try Control())
        try options.output.print(json: ["pool": volume.description, "state": "inactive"], text: nil)
    }
}
