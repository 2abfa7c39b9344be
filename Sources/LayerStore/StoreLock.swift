internal import CShims
internal import Glibc
internal import SystemPackage
internal import ThinProvisioning

/// Keeps processes, and threads of one process, out of each other's way.
///
/// One file in the root carries all locks, as locks on ranges of its bytes: one byte that every operation holds shared,
/// and one that must be alone exclusively; one for the device ids; one for the size and the table of the pool; one
/// for the service that has the snapshots; one for each layer; and one for each removed layer's thin device. They vanish with
/// the process that holds them, however it ends.
final class StoreLock: Sendable {
    /// A range of the file that stands for something.
    enum Scope {
        case store
        case deviceIDs
        case capacity
        case snapshots
        case layer(LayerID)
        /// The end of a removal.
        case removal(ThinDeviceID)

        var offset: Int64 {
            switch self {
            case .store: 0
            case .deviceIDs: 1
            case .capacity: 2
            case .snapshots: 3
            case .layer(let id):
                // FNV-1a. Two layers may share a byte; then they wait for each other, no more.
                Int64(
                    bitPattern: id.text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
                        >> 2 | 1 << 61)
            case .removal(let number): 1 << 32 | Int64(number.value)
            }
        }
    }

    /// An open lock file; what it holds is released when it is gone.
    final class Holder: Sendable {
        let descriptor: FileDescriptor

        fileprivate init(_ descriptor: FileDescriptor) {
            self.descriptor = descriptor
        }

        deinit {
            // Closing releases the locks; the content is volatile.
            try? descriptor.close()
        }

        /// Takes a lock, waiting for it if need be.
        func lock(_ scope: Scope, exclusively: Bool) throws(LayerStoreError) {
            try set(scope.offset, exclusively ? DMSHIM_LOCK_EXCLUSIVE : DMSHIM_LOCK_SHARED)
        }

        /// Takes the locks of layers.
        ///
        /// They are taken in one order, whatever the order of their names here, so that no two callers wait for each other.
        ///
        /// - Parameters:
        ///   - layers: The layers that nobody else may work on.
        ///   - shared: Layers that others may copy at the same time.
        func lock(_ layers: [LayerID], sharing shared: [LayerID] = []) throws(LayerStoreError) {
            var isExclusive: [Int64: Bool] = [:]
            for layer in shared { isExclusive[Scope.layer(layer).offset] = false }
            // A byte of both kinds is taken once: who has it shared and waits to have it alone can wait for ever.
            for layer in layers { isExclusive[Scope.layer(layer).offset] = true }
            for (offset, isExclusive) in isExclusive.sorted(by: { $0.key < $1.key }) {
                try set(offset, isExclusive ? DMSHIM_LOCK_EXCLUSIVE : DMSHIM_LOCK_SHARED)
            }
        }

        /// Takes the lock of the store exclusively, waiting for other operations for as long as `patience`.
        ///
        /// - Throws: ``LayerStoreError/Code/busy`` when they have not ended by then.
        func lockStore(within patience: Duration, at root: FilePath) throws(LayerStoreError) {
            let deadline = ContinuousClock.now.advanced(by: patience)
            while try !tryLock(.store) {
                guard ContinuousClock.now < deadline else {
                    throw LayerStoreError(
                        .busy,
                        "another operation on the store \(root) has not ended within \(patience); try again later")
                }
                usleep(20_000)
            }
        }

        /// Whether the lock file is still the one that others find at `path`.
        func isFile(at path: FilePath) -> Bool {
            guard let own = try? Stat(descriptor), let found = try? Stat(path, followTargetSymlink: false) else {
                return false
            }
            return own.deviceID == found.deviceID && own.inode == found.inode
        }

        /// Takes a lock exclusively unless somebody else holds it.
        func tryLock(_ scope: Scope) throws(LayerStoreError) -> Bool {
            let errno = dmshim_lock_range(descriptor.rawValue, DMSHIM_LOCK_EXCLUSIVE, scope.offset, 1, 0)
            switch Errno(rawValue: errno) {
            case Errno(rawValue: 0): return true
            case .resourceTemporarilyUnavailable: return false
            default: throw Self.failure(Errno(rawValue: errno))
            }
        }

        func unlock(_ scope: Scope) throws(LayerStoreError) {
            try set(scope.offset, DMSHIM_LOCK_NONE)
        }

        private func set(_ offset: Int64, _ kind: dmshim_lock_kind) throws(LayerStoreError) {
            let errno = dmshim_lock_range(descriptor.rawValue, kind, offset, 1, 1)
            guard errno == 0 else { throw Self.failure(Errno(rawValue: errno)) }
        }

        private static func failure(_ errno: Errno) -> LayerStoreError {
            LayerStoreError(.failed, "cannot lock the store: \(errno)", underlying: errno)
        }
    }

    private let path: FilePath

    init(_ path: FilePath) {
        self.path = path
    }

    /// Whether an operation on the store is under way, or somebody has the lock of `scope`; nothing is locked to find out.
    func isHeld(_ scope: Scope = .store) throws(LayerStoreError) -> Bool {
        do {
            let descriptor = try FileDescriptor.open(path, .readOnly, options: [.closeOnExec, .noFollow])
            return try descriptor.closeAfter {
                var isHeld: CInt = 0
                let errno = unsafe dmshim_lock_is_held(descriptor.rawValue, scope.offset, 1, &isHeld)
                guard errno == 0 else { throw Errno(rawValue: errno) }
                return isHeld != 0
            }
        } catch Errno.noSuchFileOrDirectory {
            return false
        } catch {
            throw LayerStoreError(.failed, "cannot ask who has locked \(path): \(error)", underlying: error)
        }
    }

    /// Opens the lock file once more: each holder has locks of its own.
    func open() throws(LayerStoreError) -> Holder {
        do {
            return Holder(
                try FileDescriptor.open(
                    path, .readWrite, options: [.create, .closeOnExec, .noFollow], permissions: [.ownerReadWrite]))
        } catch Errno.readOnlyFileSystem {
            throw LayerStoreError(
                .readOnly,
                "cannot open \(path): the file system of the root is mounted read-only; give --read-only to look at the "
                    + "store without writing to it", underlying: Errno.readOnlyFileSystem)
        } catch {
            throw LayerStoreError(.failed, "cannot open \(path): \(error)", underlying: error)
        }
    }
}
