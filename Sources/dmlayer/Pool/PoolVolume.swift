internal import ArgumentParser
internal import LayerStore
internal import LogicalVolumes
internal import SystemPackage

/// The pool that a command is about, where it is a logical volume.
struct PoolVolume: ParsableArguments {
    @Option(
        name: .customLong("pool"),
        help: ArgumentHelp(
            "A thin pool of LVM's, which need not be a store's. Without it, the store's pool.", valueName: "group/name")
    )
    var pool: String?

    /// The pool that was named, or the store's.
    ///
    /// - Throws: ``Failure`` when it is none of LVM's.
    func volume(_ options: GlobalOptions) throws -> ThinPoolVolume {
        guard let volume = try volumeIfAny(options) else {
            throw Failure("the pool of the store \(try options.rootPath()) is not a logical volume")
        }
        return volume
    }

    /// The pool that was named, or the store's; `nil` when that is none of LVM's.
    func volumeIfAny(_ options: GlobalOptions) throws -> ThinPoolVolume? {
        guard let pool else {
            return try options.openStore().poolPath().flatMap { ThinPoolVolume($0) }
        }
        guard let volume = ThinPoolVolume(pool) else {
            throw ValidationError("“\(pool)” is not the name of a logical volume: write GROUP/NAME.")
        }
        return volume
    }
}
