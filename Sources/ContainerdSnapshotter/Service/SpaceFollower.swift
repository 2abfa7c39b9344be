#if Daemon
public import LayerStore
public import Logging
internal import SystemCalls
public import SystemPackage
internal import ThinProvisioning

/// Keeps a directory whose `statfs` shows how full the pool is, on a thread of its own.
///
/// The share that it shows is that of the pool's data or of its metadata, whichever is fuller. It asks the pool in a way that
/// activates and commits nothing.
public final class SpaceFollower: Sendable {
    /// How often the pool is asked.
    private static let period = Duration.seconds(5)
    /// How long nothing is tried after a failure.
    private static let patience = Duration.seconds(30)

    private let directory: FilePath
    private let store: LayerStore
    private let log: Logger

    /// Names the directory.
    ///
    /// - Parameters:
    ///   - directory: An absolute path. Where nothing is mounted there, an ext4 is made (with `mkfs.ext4`) and mounted.
    ///   - store: The store.
    ///   - log: Where a failure is noted. The service goes on without the view then.
    public init(at directory: FilePath, of store: LayerStore, log: Logger) {
        (self.directory, self.store, self.log) = (directory, store, log)
    }

    /// Has a thread show the state of the pool until the process ends.
    ///
    /// It returns when the state is shown for the first time, or has not been shown in half a minute.
    public func start() {
        let isShown = Semaphore()
        let follower = startWorker { [self] in
            let view = SpaceView(at: directory)
            var failure = follow(view, last: nil)
            isShown.signal()
            while true {
                pause(for: failure == nil ? Self.period : Self.patience)
                failure = follow(view, last: failure)
            }
        }
        guard let follower else {
            return log.error("the view of the space stays as it is: no thread can be started")
        }
        pthread_detach(follower)
        isShown.wait(seconds: 30)
    }

    /// Shows the state of the pool once.
    ///
    /// - Parameter last: The reason of the last failure, which is not noted again.
    /// - Returns: The reason of this failure; `nil` when the state is shown.
    func follow(_ view: SpaceView, last: String?) -> String? {
        do {
            let metrics = try store.poolMetrics()
            // A pool that does not answer keeps its last state.
            guard let data = metrics.data, let metadata = metrics.metadata else { return last }
            try view.show(size: data.totalBytes, share: max(data.usedShare, metadata.usedShare))
            return nil
        } catch {
            let reason = "\(error)"
            if reason != last {
                log.error(
                    "the view of the space cannot be kept",
                    metadata: ["directory": "\(directory)", "reason": "\(reason)"])
            }
            return reason
        }
    }
}
#endif
