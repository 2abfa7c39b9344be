internal import SystemCalls

/// The changes of the list of devices, one after the other: the answer of ``EventWatcher/deviceChanges(withPrefix:)``.
///
/// A loop over it ends when its task is cancelled. Several changes of one kind to a device between two looks of the loop are one
/// element.
public struct DeviceChanges: AsyncSequence, Sendable {
    fileprivate let watcher: EventWatcher
    fileprivate let prefix: String
    /// The devices from which the changes are counted.
    public let known: [DeviceListEntry]

    /// Begins with the devices that were there when the sequence was made.
    public func makeAsyncIterator() -> Iterator {
        Iterator(watcher: watcher, prefix: prefix, known: known)
    }

    /// A place in the sequence.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let watcher: EventWatcher
        fileprivate let prefix: String
        fileprivate var known: [DeviceListEntry]
        /// Those that were found together, the next one last.
        private var pending: [DeviceChange] = []

        fileprivate init(watcher: EventWatcher, prefix: String, known: [DeviceListEntry]) {
            (self.watcher, self.prefix, self.known) = (watcher, prefix, known)
        }

        /// Waits for the next change.
        ///
        /// - Returns: The change; `nil` when the task was cancelled.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(DeviceMapperError) -> DeviceChange? {
            while pending.isEmpty {
                let (watcher, known, prefix) = (watcher, known, prefix)
                let present = try await onThread(actor) { cancellation throws(DeviceMapperError) in
                    try watcher.changes(from: known, withPrefix: prefix, timeout: nil, cancellation: cancellation)
                }
                guard let present else { return nil }
                pending = DeviceChange.changes(from: known, to: present).reversed()
                self.known = present
            }
            return Task.isCancelled ? nil : pending.popLast()
        }
    }
}

/// The states of a device after each of its events: the answer of ``EventWatcher/events(of:after:)``.
///
/// A loop over it ends when the device is removed, or when the loop's task is cancelled. Several events between two looks of the
/// loop are one element.
public struct DeviceEvents: AsyncSequence, Sendable {
    fileprivate let watcher: EventWatcher
    fileprivate let device: DeviceReference
    fileprivate let eventNumber: UInt32

    /// Begins behind the event that was known when the sequence was made.
    public func makeAsyncIterator() -> Iterator {
        Iterator(watcher: watcher, device: device, eventNumber: eventNumber)
    }

    /// A place in the sequence.
    public struct Iterator: AsyncIteratorProtocol {
        fileprivate let watcher: EventWatcher
        fileprivate let device: DeviceReference
        fileprivate var eventNumber: UInt32

        /// Waits for the next event.
        ///
        /// - Returns: The state of the device; `nil` when the device was removed or the task was cancelled.
        public mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(DeviceMapperError) -> DeviceInformation? {
            let (watcher, device, known) = (watcher, device, eventNumber)
            do throws(DeviceMapperError) {
                let present = try await onThread(actor) { cancellation throws(DeviceMapperError) in
                    try watcher.event(of: device, after: known, timeout: nil, cancellation: cancellation)
                }
                if let present { eventNumber = present.eventNumber }
                return present
            } catch {
                guard error.code == .noSuchDevice else { throw error }
                return nil
            }
        }
    }
}

extension EventWatcher {
    /// The devices that appear, go, get another name or have an event from now on.
    ///
    /// ```swift
    /// for try await change in try watcher.deviceChanges() where change.kind == .created { print(change.device.name) }
    /// ```
    ///
    /// While a loop waits, it has a control node and a thread for itself.
    ///
    /// - Parameter prefix: Only devices whose names begin with it.
    public func deviceChanges(withPrefix prefix: String = "") throws(DeviceMapperError) -> DeviceChanges {
        let known = try changes(from: [], withPrefix: prefix, timeout: .zero)
        return DeviceChanges(watcher: self, prefix: prefix, known: known ?? [])
    }

    /// The events of a device.
    ///
    /// ```swift
    /// for try await state in watcher.events(of: pool.reference, after: pool.eventNumber) { print(state.eventNumber) }
    /// ```
    ///
    /// While a loop waits, it has a control node and a thread for itself.
    ///
    /// - Parameters:
    ///   - device: The device. An event may be that it gets another name, so its uuid or number names it best.
    ///   - eventNumber: The number of the last event that the caller knows.
    public func events(of device: DeviceReference, after eventNumber: UInt32) -> DeviceEvents {
        DeviceEvents(watcher: self, device: device, eventNumber: eventNumber)
    }
}

/// Waits on a thread of its own until there is something, or until the task is cancelled.
private func onThread<Answer: Sendable>(
    _ actor: isolated (any Actor)?,
    _ wait: @escaping @Sendable (WaitCancellation) throws(DeviceMapperError) -> Answer?
) async throws(DeviceMapperError) -> Answer? {
    let cancellation = try WaitCancellation()
    let result: Result<Answer?, DeviceMapperError> = await withTaskCancellationHandler {
        await withCheckedContinuation(isolation: actor) { continuation in
            let thread = startWorker {
                continuation.resume(returning: Result { () throws(DeviceMapperError) in try wait(cancellation) })
            }
            if let thread {
                pthread_detach(thread)
            } else {
                continuation.resume(
                    returning: .failure(DeviceMapperError(.failed, attempt: "start a thread that waits for events")))
            }
        }
    } onCancel: {
        cancellation.cancel()
    }
    // An event that came together with the cancellation is there for the next loop over the sequence.
    return Task.isCancelled ? nil : try result.get()
}
