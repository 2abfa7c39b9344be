import Filesystems
import LayerStore
import SystemCalls
import SystemPackage
import TestSupport

/// The stores of a lane: one store, in each of the ways in which it can be reached.
struct LaneStores: Sendable {
    let lane: String
    let shared: LayerStore
    let own: LayerStore
    /// The agents that start the commands of the first and of the second operation of a pair.
    let agents: [CommandAgent]
    let running: RunningOperations
    /// The archive for `apply`, which is another one for each of two operations.
    let archives: [FilePath]

    /// Carries an operation out.
    ///
    /// - Parameters:
    ///   - place: 0 for the first operation of a pair, 1 for the second one.
    ///   - kill: After how long a command is killed.
    func carryOut(
        _ operation: StoreOperation, by vehicle: Vehicle, place: Int = 0, killingAfter kill: Duration = .zero
    ) -> Outcome {
        running.watching("\(operation) (\(vehicle.rawValue))") {
            switch vehicle {
            case .thread: return shared.carryOut(operation, lane: lane, archive: archives[place])
            case .ownStore: return own.carryOut(operation, lane: lane, archive: archives[place])
            case .command, .killed:
                do {
                    let answer = try agents[place].run(
                        operation.arguments(archive: archives[place].string),
                        killingAfter: vehicle == .killed ? kill : nil)
                    return Outcome(answer, of: operation, lane: lane)
                } catch {
                    return .unexpected("\(error)")
                }
            }
        }
    }

    /// Writes the archives that operations apply.
    func prepareArchives(of operations: [StoreOperation]) throws {
        for (operation, archive) in zip(operations, archives) {
            guard case .apply(_, let marker) = operation else { continue }
            let file = try FileDescriptor.open(
                archive, .writeOnly, options: [.create, .truncate, .closeOnExec], permissions: .ownerReadWrite)
            _ = try file.closeAfter { try file.writeAll(MarkerFile.archive(of: marker)) }
        }
    }

    /// Whether a layer is mounted at its place.
    func isMounted(_ name: String) throws -> Bool {
        let place = shared.root.appending("mnt/\(name)")
        return try MountTable.current().entries.contains { $0.mountPoint == place }
    }

    /// Runs `body` with a layer's directory while the layer is mounted.
    ///
    /// A shutdown can unmount the layer at any moment, and then `body` runs again.
    func inLayer<Result>(_ name: String, _ body: (FilePath) throws -> Result) throws -> Result {
        for _ in 0..<100 {
            let path = try running.watching("mount \(name) to look at it") { try shared.mount(LayerID(name)) }
            do {
                let result = try running.watching("files of \(name)") { try body(path) }
                if try isMounted(name) { return result }
            } catch Errno.noSuchFileOrDirectory {
                continue
            }
        }
        throw StressError("layer \(name) is unmounted again and again")
    }

    /// Looks at all layers of the lane, and at the files of some.
    ///
    /// - Parameter known: The layers whose files cannot have changed.
    func observe(known: [String: StoreModel.Layer]) throws -> Observation {
        var observation = Observation()
        for listing in try running.watching("list to look at the layers", { try shared.layers() }) {
            guard case .layer(let id, let record) = listing else { throw StressError("\(listing)") }
            guard id.text.hasPrefix(lane) else { continue }
            let wasMounted = try isMounted(id.text)
            let files =
                if let layer = known[id.text] {
                    (whole: layer.files.subtracting(layer.torn), torn: layer.torn)
                } else {
                    try inLayer(id.text) { try MarkerFile.all(in: $0) }
                }
            observation.layers[id.text] = .init(
                parent: record.parent == "base" ? nil : record.parent, size: record.size, isMounted: wasMounted,
                files: files.whole, torn: files.torn)
        }
        return observation
    }
}
