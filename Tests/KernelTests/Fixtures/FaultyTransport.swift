import DeviceMapper
import Synchronization
import SystemPackage
import TestSupport

/// Sends commands to the kernel, notes them, and fails one of them or does something behind it.
final class FaultyTransport: ControlTransport {
    enum Moment: CaseIterable {
        /// The kernel does not get the command.
        case before
        /// The kernel carries the command out, and the caller is told that it did not.
        case after
    }

    private struct State {
        var commands: [ControlCommand] = []
        var fault: (command: ControlCommand, errno: Errno, moment: Moment)?
        /// How many commands are still let through before one fails.
        var countdown: (remaining: Int, moment: Moment)?
        /// All commands of a kind fail after a number of them.
        var barrier: (command: ControlCommand, remaining: Int)?
        var interruption: (command: ControlCommand, moment: Moment, remaining: Int, body: @Sendable () -> Void)?
    }

    private let kernel: KernelTransport
    private let state = Mutex(State())

    init(_ kernel: KernelTransport) {
        self.kernel = kernel
    }

    /// The commands that were sent since the beginning or ``forget()``.
    var commands: [ControlCommand] { state.withLock(\.commands) }

    func forget() {
        state.withLock { $0.commands = [] }
    }

    /// Fails the next `command`, once.
    func fail(_ command: ControlCommand, with errno: Errno, _ moment: Moment) {
        state.withLock { $0.fault = (command, errno, moment) }
    }

    /// Fails the command after the next `count` ones, once, with `EIO`.
    func fail(after count: Int, _ moment: Moment) {
        state.withLock { $0.countdown = (count, moment) }
    }

    /// Keeps every `command` after the next `count` from the kernel, with `EIO`.
    func failAlways(_ command: ControlCommand, after count: Int) {
        state.withLock { $0.barrier = (command, count) }
    }

    /// Whether a fault is still to come.
    var isArmed: Bool { state.withLock { $0.countdown != nil || $0.fault != nil } }

    func disarm() {
        state.withLock { state in
            state.countdown = nil
            state.fault = nil
            state.barrier = nil
        }
    }

    /// Runs `body` as soon as the kernel has carried out the next `command` but `skipped`, once.
    func interrupt(
        after command: ControlCommand, skipping skipped: Int = 0, _ body: @escaping @Sendable () -> Void
    ) {
        state.withLock { $0.interruption = (command, .after, skipped, body) }
    }

    /// Runs `body` before the kernel gets the next `command`, once.
    func interrupt(before command: ControlCommand, _ body: @escaping @Sendable () -> Void) {
        state.withLock { $0.interruption = (command, .before, 0, body) }
    }

    /// A transport that sends commands through another control node, and otherwise is this one.
    func passing(to kernel: KernelTransport) -> any ControlTransport {
        Passing(faults: self, kernel: kernel)
    }

    private struct Passing: ControlTransport {
        let faults: FaultyTransport
        let kernel: KernelTransport

        func perform(_ command: ControlCommand, request: UnsafeMutableRawBufferPointer) -> Errno? {
            unsafe faults.perform(command, request: request, kernel)
        }
    }

    func perform(_ command: ControlCommand, request: UnsafeMutableRawBufferPointer) -> Errno? {
        unsafe perform(command, request: request, kernel)
    }

    private func perform(
        _ command: ControlCommand, request: UnsafeMutableRawBufferPointer, _ kernel: KernelTransport
    ) -> Errno? {
        interrupt(.before, command)
        defer { interrupt(.after, command) }
        let fault = state.withLock { state -> (errno: Errno, moment: Moment)? in
            state.commands.append(command)
            if let barrier = state.barrier, barrier.command == command {
                if barrier.remaining == 0 { return (.ioError, .before) }
                state.barrier = (command, barrier.remaining - 1)
            }
            if let countdown = state.countdown {
                state.countdown = countdown.remaining > 0 ? (countdown.remaining - 1, countdown.moment) : nil
                if countdown.remaining == 0 { return (.ioError, countdown.moment) }
            }
            guard let fault = state.fault, fault.command == command else { return nil }
            state.fault = nil
            return (fault.errno, fault.moment)
        }
        guard let fault else { return unsafe kernel.perform(command, request: request) }
        if fault.moment == .after { _ = unsafe kernel.perform(command, request: request) }
        return fault.errno
    }

    private func interrupt(_ moment: Moment, _ command: ControlCommand) {
        let body = state.withLock { state -> (@Sendable () -> Void)? in
            guard let interruption = state.interruption, interruption.command == command, interruption.moment == moment
            else { return nil }
            guard interruption.remaining == 0 else {
                state.interruption?.remaining -= 1
                return nil
            }
            state.interruption = nil
            return interruption.body
        }
        guard let body else { return }
        // It stands for another process, and must not have the locks of the thread that it interrupts.
        _ = onThreads(1) { _ in body() }
    }
}
