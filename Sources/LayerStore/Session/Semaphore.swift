internal import SystemCalls

/// Counts what is to be done, and lets a thread sleep until there is something.
@safe package final class Semaphore: @unchecked Sendable {
    private let semaphore: UnsafeMutablePointer<sem_t>

    /// A semaphore with no signal, or with one.
    package init(isSignalled: Bool = false) {
        unsafe semaphore = .allocate(capacity: 1)
        unsafe sem_init(semaphore, 0, isSignalled ? 1 : 0)
    }

    deinit {
        unsafe sem_destroy(semaphore)
        unsafe semaphore.deallocate()
    }

    /// Wakes a thread that waits, or the next one that would.
    package func signal() {
        unsafe sem_post(semaphore)
    }

    /// Waits for a signal, at most for a time; what has been signalled more than once meanwhile counts as one.
    ///
    /// - Returns: Whether there was a signal.
    @discardableResult
    package func wait(seconds: Int?) -> Bool {
        var deadline = timespec()
        if let seconds {
            unsafe clock_gettime(CLOCK_REALTIME, &deadline)
            deadline.tv_sec += seconds
        }
        // The only failure is that the time is over.
        let answer = try? systemCall {
            seconds == nil ? unsafe sem_wait(semaphore) : unsafe sem_timedwait(semaphore, &deadline)
        }
        while unsafe sem_trywait(semaphore) == 0 {}
        return answer != nil
    }
}
