internal import SystemCalls

/// Suspending a device for a moment.
extension Control {
    /// Runs `body` while a device is suspended, and resumes the device in every case.
    ///
    /// Everything that uses a suspended device waits. So this thread takes no signal between the suspension and the resumption:
    /// a signal that ends the process is delivered after that. In a program with several threads this protects from signals
    /// only if the other threads block them too. Nothing protects from `SIGKILL`.
    ///
    /// The corresponding ioctl is `DM_DEV_SUSPEND`, with `DM_SUSPEND_FLAG` and without.
    ///
    /// - Parameters:
    ///   - device: The device.
    ///   - options: How requests in flight and the file system are treated.
    ///   - body: The work that must happen while nothing is written to the device.
    /// - Throws: The errors of `body`; ``DeviceMapperError`` when the device cannot be suspended or resumed.
    public func whileSuspended<Result>(
        _ device: DeviceReference, options: SuspendOptions = [], _ body: () throws -> Result
    ) throws -> Result {
        try withoutSignals {
            let result: Result
            do {
                try suspendDevice(device, options: options)
                result = try body()
            } catch {
                // Also after a suspension that failed: the kernel may have got half way, and resuming a running device is
                // harmless. The first failure is the one to report.
                if (try? resumeDevice(device)) == nil { _ = try? resumeDevice(device) }
                throw error
            }
            if (try? resumeDevice(device)) == nil { try resumeDevice(device) }
            if options.contains(.noFlush) { Self.letDeferredRequestsThrough() }
            return result
        }
    }

    /// Waits until the kernel's worker has handed in the requests that were deferred while a device, or the thin pool below it,
    /// was suspended.
    ///
    /// The caller keeps other operations from suspending the device again meanwhile. When a suspension with
    /// ``SuspendOptions/noFlush`` begins, as a pool does it to its thin devices, a thin device hands every request back. A
    /// worker that is not done takes the request up again at once, for ever, and on one processor nothing else runs any more
    /// (seen on Linux 5.10.46, not on 6.1 and 6.12). A pause makes that unlikely, no more.
    public static func letDeferredRequestsThrough() { pause(for: .milliseconds(20)) }

    /// Runs `body` while this thread takes no signals.
    ///
    /// - Throws: The errors of `body`.
    public func withoutSignals<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        var (all, previous) = (sigset_t(), sigset_t())
        unsafe sigfillset(&all)
        unsafe pthread_sigmask(SIG_SETMASK, &all, &previous)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &previous, nil) }
        return try body()
    }
}
