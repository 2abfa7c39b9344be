internal import SystemPackage
internal import ThinProvisioning

/// The metadata that a program reads, checked as the programs check it.
enum ToolInput {
    static let snapshot = ToolOption(
        name: "metadata-snap", short: "m", help: "Use metadata snapshot")

    /// Which superblock a program reads.
    enum HeldRoot {
        /// The pool's own.
        case none
        /// That of the snapshot of the metadata that the pool holds.
        case held
        case block(UInt64)
    }

    /// With less than ten blocks, no pool has room for its trees.
    private static let fewestBlocks: UInt64 = 10

    /// Opens the input of a program.
    ///
    /// - Throws: ``Failure`` in the words of thin-provisioning-tools.
    static func open(_ arguments: ToolArguments, heldRoot: HeldRoot = .none) throws -> ThinPoolMetadata {
        let device = try ThinMetadataDevice(path(arguments))
        guard try device.blockCount() ?? 0 >= fewestBlocks else {
            throw Failure("Metadata device/file too small.  Is this binary metadata?")
        }
        do {
            let metadata = try ThinPoolMetadata(reading: device)
            switch heldRoot {
            case .none: return metadata
            case .block(let block): return try ThinPoolMetadata(reading: device, heldRoot: block)
            case .held:
                guard let root = metadata.superblock.heldRoot else { throw Failure("no current metadata snap") }
                return try ThinPoolMetadata(reading: device, heldRoot: root)
            }
        } catch let error as ThinMetadataError where error.code != .unreadable {
            throw Failure("bad checksum in superblock: \(error.detail)")
        }
    }

    /// The path of the input, which is a device or a file.
    static func path(_ arguments: ToolArguments) throws -> FilePath {
        let input = arguments.text("INPUT") ?? ""
        do {
            let status = try Stat(FilePath(input))
            guard status.type == .regular || status.type == .blockSpecial else {
                throw Failure("Not a block device or regular file '\(input)'.")
            }
        } catch let error as Errno where error == .noSuchFileOrDirectory {
            throw Failure("Couldn't find input file '\(input)'")
        }
        return FilePath(input)
    }
}
