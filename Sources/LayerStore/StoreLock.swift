internal import CShims
internal import SystemPackage

/// Keeps processes, and threads of one process, out of each other's way.
///
/// One file in the root carries all locks, as locks on ranges of its bytes: one byte that every operation holds shared,
/// and one that must be alone exclusively; one for the device ids; and one for each layer. They vanish with the process
/// that holds them, however it ends.
final class StoreLock: Sendable {
    /// A range of the file that stands for something.
    enum Scope {
        case store
        case deviceIDs
        case layer(LayerID)

        var offset: Int64 {
            switch self {
            case .store: 0
            case .deviceIDs: 1
            case .layer(let id):
                // FNV-1a. Two layers may share a byte; then they wait for each other, no more.
                Int64(
                    bitPattern: id.text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
                        >> 2 | 1 << 61)
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
            try set(scope, exclusively ? DMSHIM_LOCK_EXCLUSIVE : DMSHIM_LOCK_SHARED)
        }

        /// Takes the locks of layers.
        ///
        /// They are taken in one order, whatever the order of their names here, so that no two callers wait for each other.
        func lock(_ layers: [LayerID]) throws(LayerStoreError) {
            for layer in layers.sorted() { try lock(.layer(layer), exclusively: true) }
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
            try set(scope, DMSHIM_LOCK_NONE)
        }

        private func set(_ scope: Scope, _ kind: dmshim_lock_kind) throws(LayerStoreError) {
            let errno = dmshim_lock_range(descriptor.rawValue, kind, scope.offset, 1, 1)
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

    /// Opens the lock file once more: each holder has locks of its own.
    func open() throws(LayerStoreError) -> Holder {
        do {
            return Holder(
                try FileDescriptor.open(
                    path, .readWrite, options: [.create, .closeOnExec, .noFollow], permissions: [.ownerReadWrite]))
        } catch {
            throw LayerStoreError(.failed, "cannot open \(path): \(error)", underlying: error)
        }
    }
}
