internal import BlockDevices
internal import DeviceMapper
public import SystemPackage
internal import ThinProvisioning

/// A file that an active pool goes on using although no name in the store leads to it any more.
///
/// Its content is there as long as the pool is active, and gone when the pool is taken down.
public struct LostPoolFile: Hashable, Sendable {
    /// Where the store has the file.
    public let path: FilePath
    /// The loop device, through which the content can still be read.
    public let device: FilePath
    /// Whether there is another file at ``path`` now; otherwise there is none.
    public let isReplaced: Bool

    /// What has happened, in one sentence without its full stop.
    public var summary: String {
        isReplaced
            ? "another file is at \(path) now, and the pool goes on with the one before, which only \(device) has"
            : "\(path) was deleted, and the pool goes on with the file, which only \(device) has"
    }
}

extension LayerStore {
    /// The files that an active pool goes on using although the store does not have them any more.
    func lostFiles(of pool: ThinPool) throws -> [LostPoolFile] {
        let target = try pool.target().target
        let source = configuration.pool
        var lost: [LostPoolFile] = []
        for (device, path, size) in [
            (target.dataDevice, directory.dataFile, source.dataFileSize),
            (target.metadataDevice, directory.metadataFile, source.metadataFileSize),
        ] where size != nil {
            guard case .number(let number) = device, let loop = try? LoopDevice(number: number) else { continue }
            defer { loop.close() }
            if try BackingFile.isBehind(number, path) { continue }
            // One that cannot be examined is not there for the pool either.
            let isReplaced = (try? Stat(path)) != nil
            lost.append(LostPoolFile(path: path, device: loop.path, isReplaced: isReplaced))
        }
        return lost
    }

    /// Refuses what would destroy the last copy of a file, or take another file for it.
    ///
    /// - Throws: ``LayerStoreError/Code/backingStore``.
    func requireFiles(of pool: ThinPool, _ consequence: String = "") throws {
        let lost = try lostFiles(of: pool)
        guard !lost.isEmpty else { return }
        let files = lost.map(\.summary).joined(separator: "; ")
        throw LayerStoreError(.backingStore, "\(files).\(consequence) “dmlayer check” says how to save it")
    }
}

extension PoolReport {
    /// What to do about files that only the pool has.
    static func rescue(_ lost: [LostPoolFile], program: String) -> [PoolProblem.Step] {
        [.init("Unmount every layer, so that nothing changes meanwhile.", "\(program) unmount ID")]
            + lost.map { file in
                // Not through the page cache of the loop device, which may be older than what the pool has written.
                .init(
                    file.isReplaced
                        ? "Unless the file there is a copy that was made so, move it away, and copy what the pool has."
                        : "Copy what the pool has; the disk must have room for it.",
                    "dd if=\(file.device) of=\(quoted(file.path.string)) bs=1M iflag=direct conv=sparse,fsync")
            } + [.init("Take the pool down; the next command activates it on the copy.", "\(program) shutdown --force")]
    }
}
