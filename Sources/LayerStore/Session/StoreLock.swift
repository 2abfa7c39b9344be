internal import CShims
internal import Synchronization
internal import SystemCalls
internal import SystemPackage
internal import ThinProvisioning

/// The locks of a store: one file, each of whose bytes stands for something that one operation at a time may have.
///
/// They are open-file-description locks, which work between threads and between processes alike and vanish with the
/// process that holds them, however it ends. A holder that takes several takes them in the order of ``Scope``, so that no
/// two wait for each other. Debug builds check this (`LockOrder`).
final class StoreLock: Sendable {
    /// The subject of a lock, which has one byte of the file, in the order in which the locks are taken.
    enum Scope: Equatable {
        /// The snapshots: a service has it for as long as it runs.
        case snapshots
        /// The way in: an operation has it while it finds out whether a process died in the store.
        case entry
        /// The end of the removal of a layer, by the number of its thin device.
        case removal(ThinDeviceID)
        /// The store: every operation has it shared. Activation, recovery, shutdown and each slice of a trim have it alone.
        case store
        /// A layer. Its children are made while it is held shared.
        case layer(LayerID)
        /// The size of the pool, its table, and the tables of active layers.
        case capacity
        /// A suspended device: an operation has it shared for as long as it keeps a device suspended.
        case suspension
        /// The numbers of thin devices and the marks of work under way, for a few accesses to small files.
        case numbers

        var offset: Int64 {
            switch self {
            case .store: 0
            case .numbers: 1
            case .capacity: 2
            case .snapshots: 3
            case .entry: 4
            case .suspension: 5
            case .layer(let id):
                // FNV-1a. Two layers may share a byte; then their operations wait for each other, and nothing else happens.
                Int64(
                    bitPattern: id.text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
                        >> 2 | 1 << 61)
            case .removal(let number): 1 << 32 | Int64(number.value)
            }
        }

        /// The place of the lock in the order of all locks.
        fileprivate var kind: LockOrder.Kind {
            switch self {
            case .snapshots: .snapshots
            case .entry: .entry
            case .removal: .removal
            case .store: .store
            case .layer: .layer
            case .capacity: .capacity
            case .suspension: .suspension
            case .numbers: .numbers
            }
        }

        /// The subject of the lock, to complete “the process … has …”.
        fileprivate var description: String {
            switch self {
            case .snapshots: "the snapshots of the store"
            case .entry, .store: "the store"
            case .removal(let number): "the removed layer with the thin device \(number)"
            case .layer(let id): id == .base ? "the base device" : "layer \(id)"
            case .capacity: "the size of the pool"
            case .suspension: "a suspended device of the store"
            case .numbers: "the numbers of the store's devices"
            }
        }
    }

    private let path: FilePath

    init(_ path: FilePath) {
        self.path = path
    }

    /// Opens the lock file once more: each holder has locks of its own.
    ///
    /// - Parameter deadline: When the holder gives up waiting for a lock.
    func open(until deadline: Deadline) throws(LayerStoreError) -> Holder {
        do {
            let file = try FileDescriptor.open(
                path, .readWrite, options: [.create, .closeOnExec, .noFollow], permissions: [.ownerReadWrite])
            return Holder(file, path, deadline)
        } catch Errno.readOnlyFileSystem {
            throw LayerStoreError(
                .readOnly,
                "cannot open \(path): the file system of the root is mounted read-only; give --read-only to look at the "
                    + "store without writing to it", underlying: Errno.readOnlyFileSystem)
        } catch {
            throw LayerStoreError(.failed, "cannot open \(path): \(error)", underlying: error)
        }
    }

    /// Opens the lock file only to read the marks in it, and locks nothing.
    ///
    /// - Returns: `nil` when there is no lock file.
    func openForReading() throws(LayerStoreError) -> FileDescriptor? {
        do {
            return try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .noFollow])
        } catch Errno.noSuchFileOrDirectory {
            return nil
        } catch {
            throw LayerStoreError(.failed, "cannot open \(path): \(error)", underlying: error)
        }
    }

    /// Whether a process has the lock of `scope`, shared or alone; nothing is locked to find out.
    func isHeld(_ scope: Scope = .store) throws(LayerStoreError) -> Bool {
        guard let file = try openForReading() else { return false }
        do {
            return try file.closeAfter {
                var isHeld: CInt = 0
                try unsafe requireSuccess(dmshim_lock_is_held(file.rawValue, scope.offset, 1, &isHeld))
                return isHeld != 0
            }
        } catch {
            throw LayerStoreError(.failed, "cannot ask whether \(path) is locked: \(error)", underlying: error)
        }
    }
}

extension StoreLock {
    /// An open lock file; the locks that it has are released when it is gone.
    final class Holder: Sendable {
        let descriptor: FileDescriptor
        private let isClosed = Atomic(false)
        /// When this holder gives up waiting.
        let deadline: Deadline
        private let path: FilePath

        fileprivate init(_ descriptor: FileDescriptor, _ path: FilePath, _ deadline: Deadline) {
            self.descriptor = descriptor
            self.path = path
            self.deadline = deadline
        }

        deinit { close() }

        /// Releases all locks.
        ///
        /// The holder is of no use after that.
        func close() {
            guard !isClosed.exchange(true, ordering: .relaxed) else { return }
            // Nothing in the file has to be durable.
            try? descriptor.close()
            LockOrder.didReleaseAll(self)
        }

        /// Takes a lock, and waits for it until the holder's deadline.
        ///
        /// - Parameter limit: Another moment at which to give up, for a lock that ends work which is done already.
        /// - Throws: ``LayerStoreError/Code/busy`` with the process that has the lock.
        func lock(_ scope: Scope, exclusively: Bool, until limit: Deadline? = nil) throws(LayerStoreError) {
            let kind = exclusively ? DMSHIM_LOCK_EXCLUSIVE : DMSHIM_LOCK_SHARED
            LockOrder.willWait(for: scope.kind, at: scope.offset, isExclusive: exclusively, self)
            let isLocked: Bool? = try waiting(until: limit ?? deadline) { () throws(LayerStoreError) -> Bool? in
                try set(scope, kind) ? true : nil
            }
            guard isLocked == nil else { return }
            let users = LockUser.holders(of: path, offset: scope.offset)
            let has =
                users.isEmpty ? "another operation has" : users.map(\.description).joined(separator: ", ") + " has"
            throw LayerStoreError(
                .busy,
                "\(has) \(scope.description) and did not release it in time; try again later, or give more time with "
                    + "--patience SECONDS")
        }

        /// Takes the locks of layers, in one order, whatever the order of their names here.
        ///
        /// - Parameters:
        ///   - layers: The layers that no other operation may work on.
        ///   - shared: Layers that other operations may copy at the same time.
        /// - Returns: The layers, in the order of `layers`.
        @discardableResult
        func lock(_ layers: [LayerID], sharing shared: [LayerID] = []) throws(LayerStoreError) -> [LockedLayer] {
            var byOffset: [Int64: (layer: LayerID, isExclusive: Bool)] = [:]
            for layer in shared { byOffset[Scope.layer(layer).offset] = (layer, false) }
            // A byte of both kinds is taken once, alone: an operation that had it shared and waited for it alone could wait
            // for another that does the same.
            for layer in layers { byOffset[Scope.layer(layer).offset] = (layer, true) }
            for (_, entry) in byOffset.sorted(by: { $0.key < $1.key }) {
                try lock(.layer(entry.layer), exclusively: entry.isExclusive)
            }
            return layers.map { LockedLayer($0) }
        }

        /// Takes the store alone, as soon as the operations of others have ended.
        func lockAlone() throws(LayerStoreError) -> StoreAlone {
            // Given up first: two that have it shared and want it alone would wait for each other.
            try unlock(.store)
            try lock(.store, exclusively: true)
            return StoreAlone()
        }

        /// Takes the store alone unless another operation is in it.
        func tryLockAlone() throws(LayerStoreError) -> StoreAlone? { try tryLock(.store) ? StoreAlone() : nil }

        /// Takes the lock of a layer alone unless another operation has it.
        func tryLock(_ layer: LayerID) throws(LayerStoreError) -> LockedLayer? {
            try tryLock(.layer(layer)) ? LockedLayer(layer) : nil
        }

        /// Takes the lock under which tables of the pool, and of active layers, change.
        func lockTables() throws(LayerStoreError) -> LockedTables {
            try lock(.capacity, exclusively: true)
            return LockedTables()
        }

        /// Takes the lock under which tables change unless another operation has it.
        func tryLockTables() throws(LayerStoreError) -> LockedTables? { try tryLock(.capacity) ? LockedTables() : nil }

        /// Takes a lock alone unless another holder has it.
        func tryLock(_ scope: Scope) throws(LayerStoreError) -> Bool { try set(scope, DMSHIM_LOCK_EXCLUSIVE) }

        /// Gives a lock up.
        func unlock(_ scope: Scope) throws(LayerStoreError) { _ = try set(scope, DMSHIM_LOCK_NONE) }

        /// Whether the lock file is still the one at its path.
        func isFileInPlace() -> Bool {
            // A file that cannot be examined is not in place.
            guard let own = try? Stat(descriptor), let found = try? Stat(path, followTargetSymlink: false) else {
                return false
            }
            return own.isSameFile(as: found)
        }

        /// - Returns: Whether the lock could be set; another holder has it otherwise.
        private func set(_ scope: Scope, _ kind: dmshim_lock_kind) throws(LayerStoreError) -> Bool {
            do {
                try requireSuccess(dmshim_lock_range(descriptor.rawValue, kind, scope.offset, 1, 0))
                if kind == DMSHIM_LOCK_NONE {
                    LockOrder.didRelease(scope.kind, at: scope.offset, self)
                } else {
                    LockOrder.didTake(
                        scope.kind, at: scope.offset, isExclusive: kind == DMSHIM_LOCK_EXCLUSIVE, self)
                }
                return true
            } catch .resourceTemporarilyUnavailable {
                return false
            } catch {
                throw LayerStoreError(.failed, "cannot lock \(path): \(error)", underlying: error)
            }
        }
    }
}

/// A layer that no other operation works on.
///
/// Only a holder of the layer's lock, or of the store alone, has this.
struct LockedLayer: Hashable, Sendable {
    let id: LayerID

    fileprivate init(_ id: LayerID) {
        self.id = id
    }
}

/// A store in which no other operation is.
///
/// Only a holder of the store's lock has this.
struct StoreAlone: Sendable {
    fileprivate init() {}

    /// A layer, on which no other operation works either.
    func layer(_ id: LayerID) -> LockedLayer { LockedLayer(id) }
}

/// The right to change the table of the pool or of an active layer.
///
/// Only a holder of the lock on them has this.
///
/// A pool stops its thin devices while it is suspended, and the kernel loses count of that when a table of one of them goes
/// away meanwhile: the device never answers again (seen on Linux 6.1.176).
struct LockedTables: Sendable {
    fileprivate init() {}
}
