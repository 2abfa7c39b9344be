internal import BlockDevices
internal import SystemCalls
internal import SystemPackage
internal import ThinProvisioning

/// The marks of work under way in a store, which every process that has the store open reads and changes.
///
/// They are text in the lock file. Nothing there is durable, on purpose: the marks are true for one start of the machine,
/// and the recovery makes them anew from the metadata directory. A mark that is still set when its process is gone tells the
/// next operation that something was left half done.
final class WorkMarks: Sendable {
    /// The content of the file.
    struct State: Hashable, Sendable {
        /// The first number of the oldest reservation that is kept.
        var oldest: ThinDeviceID
        /// The first number of the block from which numbers are handed out.
        var block: ThinDeviceID
        /// The next number to hand out.
        var next: ThinDeviceID
        /// Whether the reservation of the block is durable.
        var isBlockDurable: Bool
        /// The first number of the block behind this one, once that is reserved.
        var following: ThinDeviceID?
        /// Whether the reservation of the following block is durable.
        var isFollowingDurable = false
        /// The numbers with which layers are being made, or were when a process died.
        var making: Set<ThinDeviceID> = []
        /// Whether there may be more such numbers, which nothing tells.
        var isMakingUnknown = false
        /// How many removals have begun and not ended.
        var removals: UInt32 = 0
        /// How many operations keep a device suspended.
        var suspensions: UInt32 = 0

        /// Whether layers are being made with other numbers than `own`, or were when a process died.
        func hasLayersInMaking(except own: Set<ThinDeviceID> = []) -> Bool {
            isMakingUnknown || !making.isSubset(of: own)
        }

        init(block: ThinDeviceID, isDurable: Bool, removals: UInt32) {
            oldest = block
            self.block = block
            next = block
            isBlockDurable = isDurable
            self.removals = removals
        }

        /// The marks where the file does not tell: as if a process had died, so that the recovery works them out again.
        ///
        /// - Parameter isNewStart: Whether the machine was started since; then nothing is suspended.
        fileprivate init(unknownAtNewStart isNewStart: Bool) {
            self.init(block: ThinDeviceID.maximum.next, isDurable: false, removals: 0)
            (isMakingUnknown, suspensions) = (true, isNewStart ? 0 : 1)
        }
    }

    /// Threads of this process take turns, so that only other processes are waited for by asking again and again.
    private let turn = Semaphore(isSignalled: true)
    /// How long an operation waits for its turn, and then for the lock, in seconds.
    private let patience: Int

    init(patience: Int = 30) {
        self.patience = patience
    }

    /// Reads the marks without a lock.
    func read(from file: FileDescriptor) throws(LayerStoreError) -> State {
        var bytes = [UInt8](repeating: 0, count: Self.width)
        do {
            _ = try unsafe bytes.withUnsafeMutableBytes { try unsafe file.read(fromAbsoluteOffset: 0, into: $0) }
        } catch {
            throw LayerStoreError(.failed, "cannot read the lock file: \(error)", underlying: error)
        }
        return State(text: String(decoding: bytes, as: UTF8.self))
    }

    func read(_ holder: StoreLock.Holder) throws(LayerStoreError) -> State { try read(from: holder.descriptor) }

    /// Changes the marks while no other operation does.
    ///
    /// - Parameter isLast: Whether the holder gives up all of its locks after this, so that this lock need not be.
    func update<Result>(
        _ holder: StoreLock.Holder, isLast: Bool = false, _ change: (inout State) throws(LayerStoreError) -> Result
    ) throws(LayerStoreError) -> Result {
        // Both are held for moments only. An operation that took long must not fail at its last step, because its time is over.
        let deadline = Deadline.after(.seconds(patience))
        LockOrder.willWait(for: .turn, self)
        guard turn.wait(seconds: patience) else {
            throw LayerStoreError(
                .busy,
                "other operations of this process have the numbers of the store's devices and did not release them in "
                    + "time; try again later, or give more time with --patience SECONDS")
        }
        LockOrder.didTake(.turn, self)
        defer {
            LockOrder.didRelease(.turn, self)
            turn.signal()
        }
        try holder.lock(.numbers, exclusively: true, until: deadline)
        // Where this fails the lock goes with its holder.
        defer { if !isLast { try? holder.unlock(.numbers) } }
        var state = try read(holder)
        let result = try change(&state)
        try write(state.text, holder)
        return result
    }

    /// Begins the marks anew, while the caller has the store alone.
    ///
    /// A monitor changes the pool's table without being in the store, so the marks of suspensions stay.
    func reset(_ state: State, _ holder: StoreLock.Holder) throws(LayerStoreError) {
        try update(holder) { present throws(LayerStoreError) in
            let suspensions = present.suspensions
            present = state
            present.suspensions = suspensions
        }
    }

    /// Has the next operation that can change the pool work it all out again, as if a process had died.
    func invalidate(_ holder: StoreLock.Holder) throws(LayerStoreError) { try write("", holder) }

    // MARK: Marks without a number

    /// Marks a removal that has begun.
    func beginRemoval(_ holder: StoreLock.Holder) throws(LayerStoreError) {
        try update(holder) { state throws(LayerStoreError) in state.removals += 1 }
    }

    /// Takes the mark of a removal back.
    func endRemoval(_ holder: StoreLock.Holder) throws(LayerStoreError) {
        try update(holder) { state throws(LayerStoreError) in state.removals -= min(state.removals, 1) }
    }

    /// Marks that a device is about to be suspended.
    func beginSuspension(_ holder: StoreLock.Holder) throws(LayerStoreError) {
        try update(holder) { state throws(LayerStoreError) in state.suspensions += 1 }
    }

    /// Takes the mark of a suspension back.
    func endSuspension(_ holder: StoreLock.Holder) throws(LayerStoreError) {
        try update(holder) { state throws(LayerStoreError) in state.suspensions -= min(state.suspensions, 1) }
    }

    /// Takes back the marks of all suspensions; the caller has found that no operation is within one.
    func forgetSuspensions(_ holder: StoreLock.Holder) throws(LayerStoreError) {
        try update(holder) { state throws(LayerStoreError) in state.suspensions = 0 }
    }

    // MARK: The file

    /// There is room for a hundred layers that are being made at the same time.
    fileprivate static let width = 1024

    private func write(_ text: String, _ holder: StoreLock.Holder) throws(LayerStoreError) {
        // Always the same length: nothing of an older text is left behind a shorter one, and a full disk is not asked for a
        // block again.
        let line = text + String(repeating: " ", count: max(0, Self.width - 1 - text.utf8.count)) + "\n"
        do {
            _ = try holder.descriptor.writeAll(toAbsoluteOffset: 0, line.utf8)
        } catch {
            let isFull = (error as? Errno) == .noSpace
            let advice = isFull ? "; free space on the file system of the root and try again" : ""
            throw LayerStoreError(
                isFull ? .notEnoughSpace : .failed, "cannot write the lock file: \(error)\(advice)", underlying: error)
        }
    }
}

extension WorkMarks.State {
    /// A part of the number that the kernel chose when it started.
    private static let boot: UInt32 = {
        // A kernel that does not tell is the same as one that always says 0: marks of an earlier start then count, which costs
        // a recovery.
        let identifier = (try? PseudoFile.readLine("/proc/sys/kernel/random/boot_id")) ?? ""
        return UInt32(identifier.prefix(8), radix: 16) ?? 0
    }()

    private static let noBlock = UInt32.max

    fileprivate var text: String {
        var state = self
        if state.making.count > Self.mostInMaking { (state.making, state.isMakingUnknown) = ([], true) }
        let numbers = [
            Self.boot, oldest.value, block.value, next.value, isBlockDurable ? 1 : 0, following?.value ?? Self.noBlock,
            isFollowingDurable ? 1 : 0, removals, suspensions, state.isMakingUnknown ? 1 : 0,
        ]
        return (numbers + state.making.map(\.value)).map(String.init).joined(separator: " ")
    }

    /// How many numbers come before those in making.
    private static let fixedCount = 10
    /// A number and the space before it have up to 11 characters, and that of a thin device 9.
    private static let mostInMaking = (WorkMarks.width - 1 - fixedCount * 11) / 9

    /// Reads a text, which may be cut short, overwritten, or from before the machine was last started.
    fileprivate init(text: String) {
        let words = text.split(whereSeparator: \.isWhitespace)
        let numbers = words.compactMap { UInt32($0) }
        let isWhole = numbers.count == words.count && numbers.count >= Self.fixedCount
        guard isWhole, numbers[0] == Self.boot, let oldest = ThinDeviceID(numbers[1]),
            let block = ThinDeviceID(numbers[2]), let next = ThinDeviceID(numbers[3]),
            // Counts of a file that was overwritten must not overflow when they are added up.
            numbers[7...8].allSatisfy({ $0 < 1 << 24 }), block.distance(to: next) <= NumberBlock.size
        else {
            self.init(unknownAtNewStart: isWhole && numbers[0] != Self.boot)
            return
        }
        self.init(block: block, isDurable: numbers[4] != 0, removals: numbers[7])
        self.oldest = oldest
        self.next = next
        following = numbers[5] == Self.noBlock ? nil : ThinDeviceID(numbers[5])
        isFollowingDurable = numbers[6] != 0
        suspensions = numbers[8]
        making = Set(numbers.dropFirst(Self.fixedCount).compactMap { ThinDeviceID($0) })
        isMakingUnknown = numbers[9] != 0
    }
}
