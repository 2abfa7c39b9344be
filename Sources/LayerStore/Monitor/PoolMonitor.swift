public import DeviceMapper
internal import SystemCalls
public import ThinProvisioning

/// Watches a thin pool through the kernel's events, and makes it larger before it is full.
///
/// The kernel reports an event when the number of the pool's free data blocks falls to a mark, when only 4 MiB of metadata
/// are left, and when the pool's mode changes. The monitor sees to it that the mark is at the threshold. It also looks at the
/// pool every ten seconds, because the kernel reports neither the use of metadata before that nor the levels of the warnings,
/// and no kernel reports that a lock becomes free or that the group gets a disk.
///
/// A new mark is a new table, for which the kernel suspends the pool and its thin devices. If the pool becomes full during
/// that, the suspend may wait for writes that wait for space, until the kernel's timeout lets them fail. So the mark moves
/// only while the use is below the threshold, and otherwise together with the pool's size. A mark that the kernel has
/// reported is set again when the use is ten percent of the pool below the threshold.
///
/// ``PoolDecision`` decides whether the pool grows, ``PoolGrowthSource`` makes it larger, and this class waits and reports.
public final class PoolMonitor: Sendable {
    private let control: Control
    private let watcher: EventWatcher
    private let source: PoolGrowthSource
    private let settings: PoolMonitorSettings
    private let observe: @Sendable (ThinPoolState) -> Void
    private let report: @Sendable (PoolEvent) -> Void

    private var name: DeviceName { source.name }

    /// Prepares to watch a pool.
    ///
    /// - Parameters:
    ///   - control: The device mapper.
    ///   - source: The pool and the source of its space. The pool need not be active yet.
    ///   - settings: When the pool is made larger, and by how much; `nil` takes the settings of the source.
    ///   - observe: Receives the state of an active pool at each look, at least every ten seconds, on the thread that runs the
    ///     monitor.
    ///   - report: Receives the events, on the same thread.
    /// - Throws: `DeviceMapperError` when there is no device mapper.
    public init(
        _ control: Control, _ source: PoolGrowthSource, settings: PoolMonitorSettings? = nil,
        observe: @escaping @Sendable (ThinPoolState) -> Void = { _ in },
        report: @escaping @Sendable (PoolEvent) -> Void
    ) throws {
        self.control = control
        self.source = source
        self.settings = settings ?? source.settings
        self.observe = observe
        self.report = report
        watcher = try EventWatcher()
    }

    /// The facts that the monitor remembers from one look at the pool to the next.
    private struct Memory {
        var number: DeviceNumber?
        var news = PoolNews()
        var refusal: String?
        /// The reason why the last look failed.
        var failure: String?
        var isBeingMade = false
        /// Whether the kernel may have reported the mark already.
        ///
        /// It does so once for each resume of the pool.
        var isMarkSpent = true

        /// The longest time to wait for an event of the kernel.
        ///
        /// The kernel reports that a device is made, and does not report that it gets its table.
        var patience: Duration { isBeingMade ? .seconds(1) : .seconds(10) }
    }

    /// Watches the pool until the program ends.
    ///
    /// The monitor waits for a pool that does not exist or goes away. No state of the pool and no failure to make it larger
    /// ends this call.
    ///
    /// - Throws: `DeviceMapperError` when the device mapper itself does not answer.
    public func run() throws {
        var memory = Memory()
        var known: [DeviceListEntry]? = nil
        while true {
            if let list = known {
                let present =
                    try watcher.changes(from: list, withPrefix: name.description, timeout: memory.patience) ?? list
                if event(in: present) != event(in: list) { memory.isMarkSpent = true }
                known = present
            } else {
                known = try control.devices(withPrefix: name.description)
                if known?.contains(where: { $0.name == name }) != true { tell(.inactive, nil, "\(name) is not active") }
            }
            do {
                try look(&memory)
                memory.failure = nil
            } catch {
                // The pool may have gone away during the look. If so, an event follows.
                let failure = "the pool cannot be looked at: \(error)"
                if memory.failure != failure { tell(.notExtended, nil, failure) }
                memory.failure = failure
            }
        }
    }

    /// The number of the pool's last event; `nil` where there is no pool.
    private func event(in list: [DeviceListEntry]) -> UInt32? { list.first { $0.name == name }?.eventNumber }

    private func tell(_ kind: PoolEvent.Kind, _ state: ThinPoolState?, _ message: String) {
        report(PoolEvent(kind: kind, time: Int64(time(nil)), state: state, message: message))
    }

    /// Reports once why the pool is not made larger.
    private func refuse(_ memory: inout Memory, _ state: ThinPoolState, _ refusal: String) {
        if memory.refusal != refusal { tell(.notExtended, state, refusal) }
        memory.refusal = refusal
    }

    // MARK: One look

    private func look(_ memory: inout Memory) throws {
        let device = try control.informationIfPresent(on: .name(name))
        guard let device, device.hasActiveTable else {
            if memory.number != nil { tell(.inactive, nil, "\(name) is not active any more") }
            memory = Memory(isBeingMade: device != nil)
            return
        }
        memory.isBeingMade = false
        let pool = try ThinPool(control, open: .number(device.number))
        if memory.number != device.number {
            memory = Memory()
            memory.number = device.number
            tell(
                .watching, try state(of: pool),
                "\(name) is watched; it is made larger from \(settings.threshold) % on")
        }
        // Each turn makes the pool larger or moves the mark, or is the last one. After the mark has moved, the pool is looked
        // at once more: writes that came before the mark moved gave no event.
        for _ in 0..<100 {
            guard try decide(about: pool, &memory) else { return }
        }
    }

    /// Looks at the pool once and carries out the decision.
    ///
    /// - Returns: Whether the pool must be looked at again.
    private func decide(about pool: ThinPool, _ memory: inout Memory) throws -> Bool {
        let state = try state(of: pool)
        if let message = memory.news.messageAboutMode(of: state, name.description) { tell(.mode, state, message) }
        guard let state else { return false }
        for warning in memory.news.warnings(about: state, name.description) { tell(.warning, state, warning) }
        observe(state)
        let decision = PoolDecision(state, settings)
        if decision.need.isEmpty { memory.refusal = nil }
        if decision.need.contains(.data) { memory.isMarkSpent = true }
        if decision.grows, extend(decision.need, state, &memory) { return true }
        guard source.canGrow, let mark = decision.mark else { return false }
        return try setMark(on: pool, mark, state.data, &memory)
    }

    private func state(of pool: ThinPool) throws -> ThinPoolState? {
        if case .available(let state) = try pool.status() { state } else { nil }
    }

    /// Makes the pool larger and reports the result.
    ///
    /// - Returns: Whether the pool has become larger.
    private func extend(_ need: PoolNeed, _ state: ThinPoolState, _ memory: inout Memory) -> Bool {
        let start = ContinuousClock.now
        do {
            guard let change = try source.extend(need, settings.percent) else {
                // The message has no figures, so that it stays the same and is reported once; the warnings have figures.
                let space = need.contains(.data) ? "data" : "metadata"
                refuse(&memory, state, "\(name) needs more space for \(space), and no space is left: add some")
                return false
            }
            memory.refusal = nil
            memory.isMarkSpent = false
            tell(
                .extended, try self.state(of: ThinPool(control, open: .name(name))),
                "\(change); this took \(milliseconds(since: start)) ms")
            return true
        } catch {
            refuse(&memory, state, "\(name) cannot be made larger: \(error)")
            return false
        }
    }

    private func milliseconds(since start: ContinuousClock.Instant) -> Int64 {
        let elapsed = start.duration(to: .now).components
        return elapsed.seconds * 1000 + elapsed.attoseconds / 1_000_000_000_000_000
    }

    /// Sets the number of free data blocks at which the kernel reports the next event.
    ///
    /// A mark that is a little lower stays.
    ///
    /// - Returns: Whether the pool has a new mark.
    private func setMark(
        on pool: ThinPool, _ mark: UInt64, _ usage: BlockUsage, _ memory: inout Memory
    ) throws -> Bool {
        let present = try pool.target().target.lowWaterMark
        let isRight = present <= mark && mark - present <= min(usage.total / 100, mark / 2)
        // Not while writers may fill the pool during the suspend.
        let isToBeSetAgain = memory.isMarkSpent && usage.percent + 10 <= settings.threshold
        guard isToBeSetAgain || !isRight else { return false }
        var isThere = false
        try source.withPoolTable {
            // The pool may have been taken down meanwhile, and its number given to another device. From here on it stays.
            isThere = try control.informationIfPresent(on: .name(name))?.number == pool.number
            if isThere { try pool.setLowWaterMark(mark) }
        }
        if isThere { memory.isMarkSpent = false }
        return isThere
    }
}
