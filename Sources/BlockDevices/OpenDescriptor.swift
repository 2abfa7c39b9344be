internal import SystemPackage

/// An open descriptor that is closed when nothing refers to it any more.
///
/// An operation holds a reference while it runs, so that a concurrent `close()` of its device neither pulls the
/// descriptor from under it nor waits for it.
final class OpenDescriptor: Sendable {
    let descriptor: FileDescriptor

    init(_ descriptor: FileDescriptor) {
        self.descriptor = descriptor
    }

    deinit {
        // What was written is made durable by `flush()`; a failure here has nobody who could act on it.
        try? descriptor.close()
    }
}
