import Glibc
import Synchronization
import SystemCalls
import SystemPackage
import TestSupport
import Testing

@testable import LayerStore

/// Locks between threads, and between everybody who has the lock file open.
struct StoreLockTests {
    let scratch: ScratchDirectory
    let lock: StoreLock

    init() throws {
        scratch = try ScratchDirectory()
        lock = StoreLock(scratch.appending("lock"))
    }

    @Test func keepsHoldersApart() throws {
        let first = try lock.open(until: .after(.seconds(20)))
        let second = try lock.open(until: .after(.seconds(20)))
        try first.lock(.store, exclusively: false)
        try second.lock(.store, exclusively: false)
        #expect(try !first.tryLock(StoreLock.Scope.store))
        try second.unlock(.store)
        #expect(try first.tryLock(StoreLock.Scope.store))
        #expect(try !second.tryLock(StoreLock.Scope.store))
        // From exclusive to shared.
        try first.lock(.store, exclusively: false)
        try second.lock(.store, exclusively: false)
        #expect(try second.tryLock(StoreLock.Scope.numbers))
        #expect(try second.tryLock(StoreLock.Scope.layer(LayerID("a"))))
        #expect(try !first.tryLock(StoreLock.Scope.layer(LayerID("a"))))
        #expect(try first.tryLock(StoreLock.Scope.layer(LayerID("b"))))
    }

    @Test func sharesWhatIsOnlyCopied() throws {
        let (first, second) = (try lock.open(until: .after(.seconds(20))), try lock.open(until: .after(.seconds(20))))
        let (parent, child, other) = (try LayerID("parent"), try LayerID("child"), try LayerID("other"))
        // Each on a thread of its own: one thread takes layers in one order.
        try Self.elsewhere { try first.lock([child], sharing: [parent]) }
        try Self.elsewhere { try second.lock([other], sharing: [parent]) }
        #expect(try !second.tryLock(StoreLock.Scope.layer(child)))
        #expect(try !lock.open(until: .after(.seconds(20))).tryLock(StoreLock.Scope.layer(parent)))
        // A layer that is named in both lists is locked exclusively.
        let third = try lock.open(until: .after(.seconds(20)))
        try Self.elsewhere { try third.lock([LayerID("both")], sharing: [LayerID("both")]) }
        #expect(try !second.tryLock(StoreLock.Scope.layer(LayerID("both"))))
    }

    private static func elsewhere<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) throws {
        for result in onThreads(1, { _ in try body() }) { _ = try result.get() }
    }

    @Test func letsGoWithItsHolder() throws {
        var first: StoreLock.Holder? = try lock.open(until: .after(.seconds(20)))
        #expect(try first?.tryLock(StoreLock.Scope.store) == true)
        first = nil
        #expect(try lock.open(until: .after(.seconds(20))).tryLock(StoreLock.Scope.store))
    }

    @Test func keepsThreadsOutOfALayer() throws {
        let inside = Mutex(0)
        let results = onThreads(8) { [lock] _ in
            for _ in 0..<50 {
                try lock.withLayers([LayerID("a")]) {
                    let alone = inside.withLock { count in
                        count += 1
                        return count == 1
                    }
                    usleep(50)
                    inside.withLock { $0 -= 1 }
                    try #require(alone)
                }
            }
        }
        for result in results { try result.get() }
    }

    /// Each of two wants the layer that the other has as its parent.
    @Test(.timeLimit(.minutes(1))) func neverWaitsInACircle() throws {
        let results = onThreads(2) { [lock] index in
            let layers = [try LayerID("a"), try LayerID("b")]
            for _ in 0..<2000 {
                try lock.withLayers(index == 0 ? layers : layers.reversed()) {}
                let holder = try lock.open(until: .after(.seconds(20)))
                try holder.lock([layers[index]], sharing: [layers[1 - index]])
                withExtendedLifetime(holder) {}
            }
        }
        for result in results { try result.get() }
    }

    @Test func saysWhichProcessHasWhatWasWaitedFor() throws {
        let path = scratch.appending("lock")
        let holder = try lock.open(until: .after(.milliseconds(50)))
        let script = """
            import fcntl, struct, time
            file = open('\(path)', 'r+')
            fcntl.fcntl(file, fcntl.F_OFD_SETLK, struct.pack('hhqqi', fcntl.F_WRLCK, 0, 0, 1, 0))
            open('\(scratch.appending("ready"))', 'w')
            time.sleep(60)
            """
        let process = try Shell.run(
            """
            python3 -c "\(script)" >/dev/null 2>&1 &
            for i in $(seq 200); do [ -e '\(scratch.appending("ready"))' ] && break; sleep 0.05; done
            echo $!
            """)
        defer { _ = try? Shell.runForStatus("kill \(process)") }
        let error = #expect(throws: LayerStoreError.self) { try holder.lock(.store, exclusively: false) }
        #expect(error?.code == .busy)
        #expect(error?.reason.contains("(process \(process)) has the store") == true)
    }

    @Test func refusesALinkAsItsFile() throws {
        try Shell.run("ln -s /etc/passwd '\(scratch.appending("lock"))'")
        #expect(throws: LayerStoreError.self) { try lock.open(until: .after(.seconds(20))) }
    }
}

extension StoreLock {
    /// Runs `body` with the locks of an operation on `layers`.
    fileprivate func withLayers(_ layers: [LayerID], _ body: () throws -> Void) throws {
        let holder = try open(until: .after(.seconds(20)))
        try holder.lock(.store, exclusively: false)
        try holder.lock(layers)
        try withExtendedLifetime(holder, body)
    }
}

/// The messages of debug builds about the order of locks.
struct LockOrderTests {
    private final class Owner: Sendable {}

    private let faults = Faults()
    private let recorder: LockOrderRecorder
    private let one = Owner()
    private let other = Owner()

    /// The words of the recorder.
    private final class Faults: Sendable {
        private let words = Mutex<[String]>([])

        func append(_ text: String) { words.withLock { $0.append(text) } }

        func take() -> [String] {
            words.withLock { words in
                defer { words = [] }
                return words
            }
        }
    }

    init() {
        recorder = LockOrderRecorder { [faults] in faults.append($0) }
    }

    private func take(_ kind: LockOrder.Kind, at place: Int64 = 0, exclusively: Bool = true, _ owner: Owner) {
        recorder.willWait(for: kind, at: place, exclusively, ObjectIdentifier(owner))
        recorder.didTake(kind, at: place, exclusively, ObjectIdentifier(owner))
    }

    @Test func acceptsTheOrder() {
        for kind in LockOrder.Kind.allCases { take(kind, one) }
        #expect(faults.take() == [])
        recorder.didReleaseAll(ObjectIdentifier(one))
        take(.layer, at: 3, one)
        take(.layer, at: 7, one)
        take(.store, exclusively: false, other)
        #expect(faults.take().count == 1, "a layer was held")
    }

    @Test func saysBothChains() {
        take(.store, exclusively: false, one)
        take(.layer, at: 5, one)
        recorder.didReleaseAll(ObjectIdentifier(one))
        take(.layer, at: 6, one)
        take(.store, exclusively: false, other)
        #expect(
            faults.take() == [
                "the order of locks is broken: store comes before layer. The thread has layer at 6, and waits for store; "
                    + "another time a thread had store (shared), and waits for layer"
            ])
    }

    @Test func refusesTwoLayersInTheWrongOrder() {
        take(.layer, at: 7, one)
        take(.layer, at: 3, one)
        #expect(faults.take().count == 1)
    }

    @Test func refusesToWaitForWhatTheThreadHas() {
        take(.store, exclusively: false, one)
        take(.store, exclusively: false, other)
        #expect(faults.take() == [], "two that share it")
        recorder.didReleaseAll(ObjectIdentifier(other))
        take(.store, one)
        #expect(faults.take().count == 1, "two that share it, and want it alone, wait for each other")
        take(.store, exclusively: false, other)
        #expect(faults.take().count == 1, "another holder of this thread has it alone")
    }

    /// A lock that was not waited for is held like any other one, and what the thread waits for then is judged.
    @Test func judgesOnlyWaits() {
        take(.numbers, one)
        recorder.didTake(.removal, at: 1, true, ObjectIdentifier(one))
        #expect(faults.take() == [])
        recorder.didRelease(.numbers, at: 0, ObjectIdentifier(one))
        take(.store, exclusively: false, one)
        #expect(faults.take() == [])
    }

    /// Each thread has locks of its own, and a lock may be released on another thread than it was taken on.
    @Test func keepsThreadsApart() {
        take(.layer, at: 1, one)
        let (recorder, one, other) = (recorder, one, other)
        _ = onThreads(1) { _ in
            recorder.willWait(for: .store, at: 0, false, ObjectIdentifier(other))
            recorder.didReleaseAll(ObjectIdentifier(one))
        }
        take(.store, exclusively: false, other)
        #expect(faults.take() == [])
    }

    /// The locks of a store are recorded, and the program stops.
    @Test func stopsTheProgram() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let scratch = try ScratchDirectory()
            let holder = try StoreLock(scratch.appending("lock")).open(until: .now)
            try holder.lock(.capacity, exclusively: true)
            try holder.lock(.store, exclusively: false)
        }
        let words = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(words.contains("the order of locks is broken: store comes before capacity"))
    }
}
