#if Images
internal import SystemCalls
internal import SystemPackage

/// The lock that one process has while it changes the images of a root.
///
/// Programs that only read the images need no lock: an image appears when it is whole.
final class ImageLock {
    private let file: FileDescriptor

    /// Takes the lock.
    ///
    /// - Throws: ``ImageError/Code/busy`` if another process still has it at the deadline.
    init(_ path: FilePath, until deadline: Deadline) throws {
        do {
            file = try .open(
                path, .readWrite, options: [.create, .closeOnExec, .noFollow], permissions: [.ownerReadWrite])
        } catch {
            throw ImageError(.output, "cannot open \(path): \(error)")
        }
        let isLocked: Bool? = try waiting(until: deadline) {
            do throws(Errno) {
                try systemCall { flock(file.rawValue, LOCK_EX | LOCK_NB) }
                return true
            } catch {
                guard error == .wouldBlock else { throw ImageError(.output, "cannot lock \(path): \(error)") }
                return nil
            }
        }
        guard isLocked != nil else {
            throw ImageError(
                .busy,
                "another process imports or removes images and did not end in time; try again later, or give more "
                    + "time with --patience")
        }
    }

    deinit {
        // The lock goes with the descriptor.
        try? file.close()
    }
}
#endif
