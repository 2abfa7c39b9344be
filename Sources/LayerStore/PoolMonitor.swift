public import DeviceMapper
internal import Glibc
public import ThinProvisioning

/// Watches a thin pool through the kernel's events, and has it made larger before it is full.
///
/// The pool reports an event when its free blocks fall below a mark. The mark is set to the next of several levels of use,
/// so that nothing is asked for in between; metadata is looked at with every event, and has one of its own when the last
/// 4 MiB of it are begun. Only while a pool should be larger and cannot, it is looked at every ten seconds as well.
public final class PoolMonitor: Sendable {
    /// Something that has happened to the pool.
    public struct Event: Hashable, Sendable {
        /// What it is.
        public enum Kind: String, Hashable, Sendable, Codable {
            /// The pool is watched from now on.
            case watching
            /// The pool's device is not there.
            case inactive
            /// The pool has become larger.
            case extended
            /// The pool should become larger, and cannot.
            case notExtended = "not_extended"
            /// A level of use was passed.
            case warning
            /// The pool is in another mode than before.
            case mode
        }

        /// What it is.
        public let kind: Kind
        /// When, in seconds since 1970.
        public let time: Int64
        /// The state of the pool then; `nil` when it is not active or has failed.
        public let state: ThinPoolState?
        /// It in words, with what to do.
        public let message: String
    }

    /// What a pool needs.
    public struct Need: OptionSet, Hashable, Sendable {
        /// The needs as bits.
        public let rawValue: UInt8

        /// Makes needs from bits.
        public init(rawValue: UInt8) {
            self.rawValue = rawValue
        }

        /// More space for data.
        public static let data = Need(rawValue: 1)
        /// More space for metadata.
        public static let metadata = Need(rawValue: 2)
    }

    /// The uses in percent that a warning is given at.
    public static let warningLevels = [80, 90, 95]

    private let control: Control
    private let watcher: EventWatcher
    private let name: DeviceName
    private let threshold: Int
    private let grow: @Sendable (Need) throws -> String?
    private let withPoolTable: @Sendable (() throws -> Void) throws -> Void
    private let report: @Sendable (Event) -> Void

    /// Prepares to watch a pool.
    ///
    /// - Parameters:
    ///   - control: The device mapper.
    ///   - name: The name of the pool's device, which need not be there yet.
    ///   - threshold: The use in percent at which the pool is made larger; 100 is never.
    ///   - grow: Makes the pool larger, and says how; `nil` when there is nothing to make it larger with.
    ///   - withPoolTable: Runs what it is given while nobody else changes the table of the pool.
    ///   - report: Is told what happens.
    /// - Throws: `DeviceMapperError` when there is no device mapper.
    public init(
        _ control: Control, _ name: DeviceName, threshold: Int, grow: @escaping @Sendable (Need) throws -> String?,
        withPoolTable: @escaping @Sendable (() throws -> Void) throws -> Void,
        report: @escaping @Sendable (Event) -> Void
    ) throws {
        self.control = control
        self.name = name
        self.threshold = min(100, max(1, threshold))
        self.grow = grow
        self.withPoolTable = withPoolTable
        self.report = report
        watcher = try EventWatcher()
    }

    /// What is remembered from one look at the pool to the next.
    private struct Memory {
        var number: DeviceNumber?
        var mode: String?
        var warned: [String: Int] = [:]
        var refusal: String?
        var isBeingMade = false

        /// How long to wait for the kernel; `nil` is for ever.
        var patience: Duration? {
            // The kernel reports a device that is made, and not that it gets its table.
            if isBeingMade { return .seconds(1) }
            // Nor does it say anything of a lock that is given up or a disk that is added to the group.
            return refusal == nil ? nil : .seconds(10)
        }
    }

    /// Watches until the program ends.
    ///
    /// A pool that goes away is waited for. Nothing that the pool can become ends this, and no failure to make it larger.
    ///
    /// - Throws: `DeviceMapperError` when the device mapper itself does not answer.
    public func run() throws {
        var memory = Memory()
        var known: [DeviceListEntry]? = nil
        while true {
            if let list = known {
                known = try watcher.changes(from: list, withPrefix: name.description, timeout: memory.patience) ?? list
            } else {
                known = try control.devices(withPrefix: name.description)
                if known?.contains(where: { $0.name == name }) != true { tell(.inactive, nil, "\(name) is not active") }
            }
            do {
                try look(&memory)
            } catch {
                // It may have gone while it was looked at; the next event tells.
                note(&memory, nil, "the pool cannot be looked at: \(error)")
            }
        }
    }

    private func tell(_ kind: Event.Kind, _ state: ThinPoolState?, _ message: String) {
        report(Event(kind: kind, time: Int64(time(nil)), state: state, message: message))
    }

    /// Says once why the pool is not made larger.
    private func note(_ memory: inout Memory, _ state: ThinPoolState?, _ refusal: String) {
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
            tell(.watching, try state(of: pool), "\(name) is watched; it is made larger from \(threshold) % on")
        }
        // Each turn makes the pool larger or moves the mark, or is the last one: what was written before the mark was moved
        // gave no event.
        for _ in 0..<100 {
            let state = try state(of: pool)
            tellMode(of: state, &memory)
            guard let state else { return }
            tellLevels(of: state, &memory)
            let need = need(of: state)
            if need.isEmpty { memory.refusal = nil }
            // Of the reasons for a pool to be read-only, more space mends one: metadata that is full.
            let mayGrow = !state.needsCheck && (state.mode != .readOnly || need.contains(.metadata))
            if !need.isEmpty, mayGrow, try extend(need, state, &memory) { continue }
            guard state.mode == .readWrite, try setMark(on: pool, state) else { return }
        }
    }

    private func state(of pool: ThinPool) throws -> ThinPoolState? {
        if case .available(let state) = try pool.status() { state } else { nil }
    }

    private func need(of state: ThinPoolState) -> Need {
        guard threshold < 100 else { return [] }
        var need: Need = []
        if state.data.percent >= threshold { need.insert(.data) }
        // What is below the kernel's own mark counts as well: there is no other event before the metadata is full.
        let isBelowMark = state.metadata.free <= state.metadataLowWaterMark ?? 0
        if state.metadata.percent >= threshold || isBelowMark { need.insert(.metadata) }
        return need
    }

    private func extend(_ need: Need, _ state: ThinPoolState, _ memory: inout Memory) throws -> Bool {
        let start = ContinuousClock.now
        do {
            guard let done = try grow(need) else {
                // Without figures, so that it is said once; the warnings have them.
                let what = need.contains(.data) ? "data" : "metadata"
                note(
                    &memory, state, "\(name) needs more space for \(what), and nothing is left to make it of: add some")
                return false
            }
            memory.refusal = nil
            tell(
                .extended, try self.state(of: ThinPool(control, open: .name(name))),
                "\(done); this took \(milliseconds(since: start)) ms")
            return true
        } catch {
            note(&memory, state, "\(name) cannot be made larger: \(error)")
            return false
        }
    }

    private func milliseconds(since start: ContinuousClock.Instant) -> Int64 {
        let elapsed = start.duration(to: .now).components
        return elapsed.seconds * 1000 + elapsed.attoseconds / 1_000_000_000_000_000
    }

    private func tellMode(of state: ThinPoolState?, _ memory: inout Memory) {
        var mode = state?.mode.rawValue ?? "failed"
        if state?.needsCheck == true { mode += ", needs_check" }
        defer { memory.mode = mode }
        guard mode != memory.mode, memory.mode != nil || mode != "rw" else { return }
        let meaning =
            switch state?.mode {
            case _ where state?.needsCheck == true:
                ": an error has set it aside. Shut down what uses it, deactivate the pool, check its metadata with “thin_check”, "
                    + "repair it with “lvconvert --repair” or “thin_repair” if it finds something, or else clear the mark with "
                    + "“thin_check --clear-needs-check-flag”, and activate the pool again"
            case .readWrite?: ": it works again"
            case .outOfDataSpace?: ": writes that need space wait, and fail after a minute. Add space now"
            case .readOnly? where state?.metadata.free == 0:
                ": its metadata is full, and nothing can be changed. Add metadata space, with “dmlayer pool extend --metadata SIZE” "
                    + "to a pool of LVM's and “dmlayer pool resize --metadata SIZE” to one on files"
            case .readOnly?: ": nothing can be changed"
            case nil: ": its metadata could not be read or written; the kernel's log (dmesg) says more"
            }
        tell(.mode, state, "\(name) is now \(mode)\(meaning)")
    }

    /// Tells of every level that was passed since the last look, also when one write passed several.
    private func tellLevels(of state: ThinPoolState, _ memory: inout Memory) {
        for (what, usage) in [("data", state.data), ("metadata", state.metadata)] {
            let passed = Self.warningLevels.filter { usage.percent >= $0 }
            for level in passed where level > memory.warned[what] ?? 0 {
                tell(.warning, state, "\(name) has used \(usage.percent) % of its \(what), more than \(level) %")
            }
            memory.warned[what] = passed.last
        }
    }

    // MARK: The mark

    /// Has the pool report an event at the next level of use.
    ///
    /// - Returns: Whether that was another level than before.
    private func setMark(on pool: ThinPool, _ state: ThinPoolState) throws -> Bool {
        let levels = Set(stride(from: 5, through: 95, by: 5)).union([threshold, 99]).sorted()
        let level = levels.first { $0 > state.data.percent && $0 < 100 } ?? 100
        // Rounded so that the use is at the level when the event comes, and not just below it.
        let mark = state.data.total - (state.data.total * UInt64(level) + 99) / 100
        guard try pool.target().target.lowWaterMark != mark else { return false }
        var isThere = false
        try withPoolTable {
            // It may have been taken down, and its number be another device's; now it stays.
            isThere = try control.informationIfPresent(on: .name(name))?.number == pool.number
            if isThere { try pool.setLowWaterMark(mark) }
        }
        return isThere
    }
}

extension BlockUsage {
    /// How much is used in whole percent.
    public var percent: Int {
        // A block has 4 KiB at least, and all of them fit into 64 bits as bytes.
        total == 0 ? 0 : Int(used * 100 / total)
    }
}
