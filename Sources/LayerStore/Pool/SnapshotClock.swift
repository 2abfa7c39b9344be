internal import ThinProvisioning

/// The clock of a pool's snapshots.
///
/// A pool counts its snapshots, and each mapping keeps the count at which it was made, in 24 bits. The kernel does not look
/// whether the count fits: behind the last one it destroys mappings (`drivers/md/dm-thin-metadata.c`,
/// `pack_block_time`). Nothing sets the clock back while the pool is active.
struct SnapshotClock {
    /// How many snapshots a pool can make in its life.
    static let end: UInt32 = 1 << 24
    /// How many snapshots are left when no layer is made any more: enough for other programs that use the pool.
    static let margin: UInt32 = 65_536
    /// How many layers are made between two looks at the clock: far fewer than the margin.
    static let interval: UInt32 = 1024

    /// How many snapshots the pool has made.
    let time: UInt32

    init(_ time: UInt32) {
        self.time = time
    }

    /// Whether no layer may be made any more.
    var hasRunOut: Bool { time >= Self.end - Self.margin }

    /// Whether a person should know.
    var isLate: Bool { time >= Self.end / 2 }

    private var message: String {
        "the pool has made \(time) of the \(Self.end) snapshots that a pool can make; behind the last one the kernel destroys "
            + "its mappings"
    }

    static let wayOut =
        "Make a store with a new pool, and copy the layers into it with “dmlayer diff” and “dmlayer apply”; the layers of "
        + "this one go on working"

    /// The finding of a check; `nil` where nobody has to do anything yet.
    var finding: (severity: StoreFinding.Severity, message: String, advice: String)? {
        guard isLate else { return nil }
        return hasRunOut
            ? (.error, "\(message); so no more layers are made", Self.wayOut)
            : (.warning, message, Self.wayOut + ", before \(Self.end - Self.margin) are made")
    }

    /// The problem in the report on the pool's state; `nil` where there is none.
    var problem: PoolProblem? {
        finding.map { PoolProblem($0.message, [.init($0.advice)], isWarning: $0.severity < .error) }
    }

    /// Checks that a pool can make another snapshot.
    ///
    /// - Parameter metadata: The pool's metadata; its superblock is read.
    /// - Throws: ``LayerStoreError/Code/notEnoughSpace`` within the margin before the end.
    static func require(roomIn metadata: ThinMetadataDevice) throws {
        let clock = SnapshotClock(try ThinPoolMetadata(reading: metadata).superblock.time)
        guard clock.hasRunOut else { return }
        throw LayerStoreError(
            .notEnoughSpace,
            "\(clock.message), and \(margin) must be left. \(wayOut)")
    }
}
