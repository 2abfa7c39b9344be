internal import ArgumentParser
internal import ThinProvisioning

/// The command `metadata size`.
struct MetadataSize: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "size",
        abstract: "Estimate how much metadata a pool needs.",
        discussion: """
            The estimate is that of thin_metadata_size: every block of the pool is mapped once, and the nodes of the trees \
            are half full. A number without a unit counts sectors of 512 bytes.
            """)

    @Option(name: .shortAndLong, help: ArgumentHelp("The size of a block of the pool, such as 64k.", valueName: "size"))
    var blockSize: String

    @Option(
        name: [.customShort("s"), .long], help: ArgumentHelp("The size of the pool, such as 1t.", valueName: "size"))
    var poolSize: String

    @Option(name: .shortAndLong, help: ArgumentHelp("How many thin devices and snapshots.", valueName: "number"))
    var maxThins: UInt64

    @Option(name: .shortAndLong, help: "The unit of the answer: b, s, k, m, g, t, p, or a capital for powers of 1000.")
    var unit = "sector"

    @OptionGroup var printing: OutputOptions

    func run() throws {
        guard let unit = MetadataSizeUnit(unit) else { throw ValidationError("“\(unit)” is no unit.") }
        let bytes = try Self.bytes(
            block: size(blockSize, "--block-size"), pool: size(poolSize, "--pool-size"), devices: maxThins)
        try printing.output.print(json: ["bytes": bytes], text: "\(unit.text(ofBytes: bytes)) \(unit.name)s")
    }

    private func size(_ text: String, _ name: String) throws -> UInt64 {
        do {
            return try MetadataSizeUnit.bytes(text)
        } catch {
            throw ValidationError("\(name) \(text) is no size: \(error.reason)")
        }
    }

    /// The estimate in bytes.
    ///
    /// - Throws: ``Failure`` for sizes that no pool has, in the words of `thin_metadata_size`.
    static func bytes(block: UInt64, pool: UInt64, devices: UInt64) throws -> UInt64 {
        guard block > 0, block % (64 << 10) == 0 else { throw Failure("block size must be a multiple of 64 KiB") }
        guard block <= 1 << 30 else { throw Failure("maximum block size is 1 GiB") }
        guard pool >= block else { throw Failure("pool size must be larger than block size") }
        return ThinMetadataEstimate.bytes(dataBlocks: pool / block, devices: devices)
    }
}
