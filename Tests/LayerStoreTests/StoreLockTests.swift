import Glibc
import Synchronization
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
        let first = try lock.open()
        let second = try lock.open()
        try first.lock(.store, exclusively: false)
        try second.lock(.store, exclusively: false)
        #expect(try !first.tryLock(.store))
        try second.unlock(.store)
        #expect(try first.tryLock(.store))
        #expect(try !second.tryLock(.store))
        #expect(try second.tryLock(.deviceIDs))
        #expect(try second.tryLock(.layer(LayerID("a"))))
        #expect(try !first.tryLock(.layer(LayerID("a"))))
        #expect(try first.tryLock(.layer(LayerID("b"))))
        // From exclusive to shared.
        try first.lock(.store, exclusively: false)
        try second.lock(.store, exclusively: false)
    }

    @Test func sharesWhatIsOnlyCopied() throws {
        let (first, second) = (try lock.open(), try lock.open())
        let (parent, child, other) = (try LayerID("parent"), try LayerID("child"), try LayerID("other"))
        try first.lock([child], sharing: [parent])
        try second.lock([other], sharing: [parent])
        #expect(try !second.tryLock(.layer(child)))
        #expect(try !lock.open().tryLock(.layer(parent)))
        // What is named for both is had alone.
        let third = try lock.open()
        try third.lock([LayerID("both")], sharing: [LayerID("both")])
        #expect(try !second.tryLock(.layer(LayerID("both"))))
    }

    @Test func letsGoWithItsHolder() throws {
        var first: StoreLock.Holder? = try lock.open()
        #expect(try first?.tryLock(.store) == true)
        first = nil
        #expect(try lock.open().tryLock(.store))
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
                let holder = try lock.open()
                try holder.lock([layers[index]], sharing: [layers[1 - index]])
                withExtendedLifetime(holder) {}
            }
        }
        for result in results { try result.get() }
    }

    @Test func refusesALinkAsItsFile() throws {
        try Shell.run("ln -s /etc/passwd '\(scratch.appending("lock"))'")
        #expect(throws: LayerStoreError.self) { try lock.open() }
    }
}

extension StoreLock {
    /// Runs `body` with the locks of an operation on `layers`.
    fileprivate func withLayers(_ layers: [LayerID], _ body: () throws -> Void) throws {
        let holder = try open()
        try holder.lock(.store, exclusively: false)
        try holder.lock(layers)
        try withExtendedLifetime(holder, body)
    }
}
