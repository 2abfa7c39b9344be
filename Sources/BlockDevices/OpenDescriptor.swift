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
        // `flush()` has made the written data durable. A failure of the close itself needs no action.
        try? descriptor.close()
    }
}
