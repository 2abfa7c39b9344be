internal import CShims
internal import SystemCalls
internal import SystemPackage

/// Ends waits for events from another thread.
///
/// A wait that was given this object returns at once when ``cancel()`` is called, and so does each wait that begins later.
public final class WaitCancellation: Sendable {
    let descriptor: FileDescriptor

    /// Makes an object that has not been cancelled.
    ///
    /// - Throws: ``DeviceMapperError/Code/failed`` when the process has no descriptor left.
    public init() throws(DeviceMapperError) {
        var rawValue: CInt = -1
        do {
            try unsafe requireSuccess(dmshim_event_create(&rawValue))
        } catch {
            throw DeviceMapperError(.failed, attempt: "prepare a wait that can be cancelled", errno: error)
        }
        descriptor = FileDescriptor(rawValue: rawValue)
    }

    deinit {
        // It holds nothing that could be lost.
        try? descriptor.close()
    }

    /// Ends the waits.
    public func cancel() {
        // Nobody reads from it, so it stays readable. It takes 2^64 calls until there is no room for another one.
        _ = try? unsafe withUnsafeBytes(of: UInt64(1)) { unsafe try descriptor.write($0) }
    }
}
