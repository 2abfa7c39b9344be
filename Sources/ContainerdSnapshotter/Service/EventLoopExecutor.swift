#if Daemon
internal import NIOCore

/// Has the asynchronous part of a call run on the thread that reads and writes its frames.
///
/// It only goes between the frames and the threads that do the work, and needs no third thread, to and from which the call
/// would be handed besides.
final class EventLoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
#endif
