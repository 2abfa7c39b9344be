/// Starts a thread, which takes no signals: they are for the threads of the program that uses this one.
///
/// Work that waits in the kernel must not sit on one of Swift's cooperative threads.
///
/// - Returns: The thread, to join or to detach; `nil` when none can be started.
package func startWorker(_ body: @escaping @Sendable () -> Void) -> pthread_t? {
    let retained = unsafe Unmanaged.passRetained(ThreadBody(body))
    var (all, previous) = (sigset_t(), sigset_t())
    unsafe sigfillset(&all)
    // The new thread begins with the mask of the one that starts it.
    unsafe pthread_sigmask(SIG_SETMASK, &all, &previous)
    defer { unsafe pthread_sigmask(SIG_SETMASK, &previous, nil) }
    var thread = pthread_t()
    let result = unsafe pthread_create(
        &thread, nil,
        { argument in
            if let argument = unsafe argument {
                unsafe Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
            }
            return nil
        }, retained.toOpaque())
    guard result == 0 else {
        unsafe retained.release()
        return nil
    }
    return thread
}

/// Carries the work of a thread through a C function.
private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void

    init(_ run: @escaping @Sendable () -> Void) {
        self.run = run
    }
}
