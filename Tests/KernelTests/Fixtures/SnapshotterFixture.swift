import ContainerdSnapshotter
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// A snapshotter of one test, on a store of its own.
final class SnapshotterFixture: Sendable {
    let base: StoreFixture
    let store: LayerStore
    let snapshotter: Snapshotter

    init(_ options: [String] = [], mapsOwners: Bool = false) throws {
        base = try StoreFixture(options)
        store = base.store
        snapshotter = try Snapshotter(store, mapsOwners: mapsOwners)
    }

    /// Mounts a snapshot as containerd does, for as long as `body` runs.
    @discardableResult
    func mounted<Result>(_ mounts: [SnapshotMount], _ body: (FilePath) throws -> Result) throws -> Result {
        let place = base.scratch.appending("mount-\(UInt32.random(in: .min ... .max))")
        let options = mounts[0].options.map { "-o '\($0)'" }.joined(separator: " ")
        try Shell.run("mkdir '\(place)' && mount -t \(mounts[0].type) \(options) \(mounts[0].source) '\(place)'")
        defer { _ = try? Shell.run("umount '\(place)'; rmdir '\(place)'") }
        return try body(place)
    }

    /// Makes an empty committed snapshot, whose device is gone.
    func commit(_ name: String, parent: String = "") throws {
        _ = try snapshotter.prepare("work for \(name)", parent: parent, kind: .active, labels: [:])
        try commit("work for \(name)", as: name)
    }

    /// Commits an active snapshot and waits until its device is gone, which the snapshotter takes down after the call.
    func commit(_ active: String, as name: String) throws {
        try snapshotter.commit(active, as: name, labels: [:])
        let id = try layer(name).description
        try Patience.until { try !base.devices().contains { $0.hasSuffix(id) } }
    }

    /// Expects an error of a certain kind.
    @discardableResult
    func expect<Result>(
        _ code: SnapshotterError.Code, sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Result
    ) -> SnapshotterError? {
        let error = #expect(throws: SnapshotterError.self, sourceLocation: sourceLocation) { _ = try body() }
        #expect(error?.code == code, "\(error?.description ?? "")", sourceLocation: sourceLocation)
        return error
    }

    /// The layer that a snapshot is.
    func layer(_ key: String) throws -> LayerID {
        for case .layer(let id, let record) in try store.layers() where record.snapshot?.key == key { return id }
        throw SnapshotNotFound(key: key)
    }

    struct SnapshotNotFound: Error {
        let key: String
    }

    /// Ends the test: nothing is left, lost or damaged.
    func finish() throws {
        try base.finish()
    }
}
