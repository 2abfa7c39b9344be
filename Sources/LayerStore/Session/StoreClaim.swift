internal import SystemCalls
internal import SystemPackage

/// A root that one `init` has for itself: its directories exist, and no other operation is in the store.
final class StoreClaim {
    /// How long an `init` waits for another operation on the store.
    static let patience = Duration.seconds(30)
    /// How often the claim begins again when another `init` takes its directories away meanwhile.
    private static let attempts = 8

    let directory: StoreDirectory
    let holder: StoreLock.Holder
    /// No other operation is in the store, until ``release()``.
    let alone: StoreAlone
    /// The directories and the lock file that this claim made, each behind the directory that it is in.
    ///
    /// The lock file comes right behind the root, so that it is taken away behind the directories beside it: another `init`
    /// that waits for the lock makes those anew.
    private let made: [FilePath]

    /// Makes what is missing of a root and takes the lock of its store.
    ///
    /// - Throws: ``LayerStoreError/Code/busy`` when other operations on the store do not end in time.
    init(_ root: FilePath, owner: LayerOwner?) throws(LayerStoreError) {
        var attempt = 1
        while true {
            var made: [FilePath] = []
            do {
                let directory = try StoreDirectory(making: root, owner: owner, noting: &made)
                // A lock file that cannot be examined is not there: opening it says why.
                let isLockNew = (try? Stat(directory.lockFile, followTargetSymlink: false)) == nil
                let holder = try StoreLock(directory.lockFile).open(until: .after(Self.patience))
                if isLockNew {
                    made.insert(directory.lockFile, at: made.firstIndex(of: directory.root).map { $0 + 1 } ?? 0)
                }
                let alone = try holder.lockAlone()
                if holder.isFileInPlace() {
                    self.alone = alone
                    self.directory = directory
                    self.holder = holder
                    self.made = made
                    return
                }
            } catch {
                let isGone = (error.underlying as? Errno) == .noSuchFileOrDirectory
                guard isGone, attempt < Self.attempts else {
                    Self.remove(made)
                    throw error
                }
            }
            // An init that failed has taken the root away while this one waited for it.
            attempt += 1
        }
    }

    /// Lets other operations into the store.
    func release() { holder.close() }

    /// Takes away what this claim made, as far as it is empty.
    func giveBack() { Self.remove(made) }

    private static func remove(_ made: [FilePath]) {
        for path in made.reversed() {
            // A directory that is not empty any more stays.
            _ = try? systemCall {
                unsafe path.lastComponent?.string == StoreDirectory.lockName ? unlink(path.string) : rmdir(path.string)
            }
        }
    }
}
