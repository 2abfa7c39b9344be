internal import Glibc

/// Counts what is to be done, and lets a thread sleep until there is something.
@safe package final class Semaphore: @unchecked Sendable {
    private let semaphore: UnsafeMutablePointer<sem_t>

    /// A semaphore with no signal.
    package init() {
        unsafe semaphore = .allocate(capacity: 1)
        unsafe sem_init(semaphore, 0, 0)
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
    package func wait(seconds: Int?) {
        var result: CInt
        repeat {
            if let seconds {
                var deadline = timespec()
                unsafe clock_gettime(CLOCK_REALTIME, &deadline)
                deadline.tv_sec += seconds
                result = unsafe sem_timedwait(semaphore, &deadline)
            } else {
                result = unsafe sem_wait(semaphore)
            }
        } while result != 0 && errno == EINTR
        while unsafe sem_trywait(semaphore) == 0 {}
    }
}
