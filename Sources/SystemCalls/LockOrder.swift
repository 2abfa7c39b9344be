/// The order in which every operation takes its locks, which debug builds check.
///
/// Two operations that each wait for a lock of the other one would wait until their patience ends. With one order for all
/// locks this cannot happen. A debug build stops where an operation waits for a lock against the order
/// (``LockOrderRecorder``); in a release build these functions are empty.
///
/// Locks that are not waited for are no part of the order, and neither are mutexes under which nothing else is locked.
package enum LockOrder {
    /// The kinds of locks, in the order in which an operation takes them.
    ///
    /// ARCHITECTURE.md has the same order.
    package enum Kind: Int, CaseIterable, Sendable {
        /// All snapshots: a service has them for as long as it runs.
        case snapshots
        /// The keys of a service's snapshots.
        case keys
        case entry, removal, store, layer, capacity, suspension
        /// lvm2's lock on the set of physical volumes.
        case allDevices
        /// lvm2's lock on a volume group.
        case volumeGroup
        /// The turn of one thread of a process to change the marks of work.
        case turn
        case numbers
    }

    /// Notes that the caller is about to wait for a lock.
    ///
    /// - Parameters:
    ///   - place: A number of the lock among the locks of its kind. Locks of one kind are taken in the order of their numbers.
    ///   - owner: The object that is going to hold the lock; `nil` if it is not made yet.
    @inlinable
    package static func willWait(
        for kind: Kind, at place: Int64 = 0, isExclusive: Bool = true, _ owner: AnyObject? = nil
    ) {
        #if DEBUG
        LockOrderRecorder.ofProcess.willWait(for: kind, at: place, isExclusive, owner.map { ObjectIdentifier($0) })
        #endif
    }

    /// Notes that `owner` has a lock now, and how.
    @inlinable
    package static func didTake(_ kind: Kind, at place: Int64 = 0, isExclusive: Bool = true, _ owner: AnyObject) {
        #if DEBUG
        LockOrderRecorder.ofProcess.didTake(kind, at: place, isExclusive, ObjectIdentifier(owner))
        #endif
    }

    /// Notes that `owner` has given a lock up.
    @inlinable
    package static func didRelease(_ kind: Kind, at place: Int64 = 0, _ owner: AnyObject) {
        #if DEBUG
        LockOrderRecorder.ofProcess.didRelease(kind, at: place, ObjectIdentifier(owner))
        #endif
    }

    /// Notes that `owner` has given all of its locks up.
    @inlinable
    package static func didReleaseAll(_ owner: AnyObject) {
        #if DEBUG
        LockOrderRecorder.ofProcess.didReleaseAll(ObjectIdentifier(owner))
        #endif
    }
}
