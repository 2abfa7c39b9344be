internal import ArgumentParser
internal import LayerStore
internal import ThinProvisioning

/// The command `info`.
struct Info: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Print the state of the store, in the rows of docker info.",
        discussion: "In JSON, sizes are in bytes.")

    @OptionGroup var options: GlobalOptions

    func run() throws {
        let status = try options.openStore().status()
        try options.output.print(
            json: StatusJSON(status), text: status.rows.map { "\($0.name): \($0.value)" }.joined(separator: "\n"))
    }
}

/// The state of a store in JSON.
private struct StatusJSON: Encodable {
    struct Usage: Encodable {
        let used: UInt64
        let total: UInt64
        let available: UInt64

        init(_ usage: StoreStatus.SpaceUsage) {
            used = usage.used
            total = usage.total
            available = usage.available
        }
    }

    let poolName: String
    let poolMode: String
    let needsCheck: Bool
    let blockSize: UInt64
    let baseSize: UInt64
    let filesystem: String
    let dataDevice: String
    let metadataDevice: String
    let dataFile: String?
    let metadataFile: String?
    let data: Usage
    let metadata: Usage
    let minimumFree: UInt64
    let defersRemoval: Bool
    let defersDeletion: Bool
    let deferredDeletions: Int
    let zeroesNewBlocks: Bool

    init(_ status: StoreStatus) {
        poolName = status.poolName
        poolMode = status.mode?.rawValue ?? "failed"
        needsCheck = status.needsCheck
        blockSize = status.blockSize
        baseSize = status.baseSize
        filesystem = status.filesystem.rawValue
        dataDevice = status.dataDevice
        metadataDevice = status.metadataDevice
        dataFile = status.dataFile
        metadataFile = status.metadataFile
        data = Usage(status.data)
        metadata = Usage(status.metadata)
        minimumFree = status.minimumFree
        defersRemoval = status.defersRemoval
        defersDeletion = status.defersDeletion
        deferredDeletions = status.deferredDeletions
        zeroesNewBlocks = status.zeroesNewBlocks
    }

    enum CodingKeys: String, CodingKey {
        case poolName = "pool_name"
        case poolMode = "pool_mode"
        case needsCheck = "needs_check"
        case blockSize = "block_size"
        case baseSize = "base_size"
        case filesystem
        case dataDevice = "data_device"
        case metadataDevice = "metadata_device"
        case dataFile = "data_file"
        case metadataFile = "metadata_file"
        case data
        case metadata
        case minimumFree = "min_free"
        case defersRemoval = "deferred_removal"
        case defersDeletion = "deferred_deletion"
        case deferredDeletions = "deferred_deleted_count"
        case zeroesNewBlocks = "zero_new_blocks"
    }
}
