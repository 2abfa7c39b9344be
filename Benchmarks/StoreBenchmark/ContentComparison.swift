import BenchmarkFloor
import LayerStore
import SystemPackage
import TestSupport

/// Finding the one file among thousands that a layer has changed of its parent.
struct ContentComparison {
    let fixture: BenchmarkStore
    let isQuick: Bool

    private static let directories = 50
    private static let filesInEach = 100

    func run() throws -> [Report.ContentChanges] {
        let store = fixture.store
        let (parent, child) = (try LayerID("thousands"), try LayerID("one-of-them"))
        try store.create(parent, parent: fixture.image)
        try fill(try store.mount(parent))
        try store.unmount(parent)
        try store.create(child, parent: parent)
        try Shell.run("echo changed > '\(try store.mount(child))/d25/f50'")
        try store.unmount(child)

        var results = [try measure("neither is mounted", child, trees: nil)]
        let trees = [try store.mount(parent), try store.mount(child)]
        results.append(try measure("both are mounted", child, trees: trees))
        for layer in [child, parent] {
            try store.unmount(layer)
            try store.remove(layer)
        }
        try fixture.waitForRemovals()
        return results
    }

    /// Files of 1 KiB, as for the recording of Docker's.
    private func fill(_ directory: FilePath) throws {
        let content = [UInt8](repeating: 0x61, count: 1024)
        for index in 0..<Self.directories {
            let path = directory.appending("d\(index)")
            try makeDirectory(path)
            for file in 0..<Self.filesInEach {
                let file = try FileDescriptor.open(
                    path.appending("f\(file)"), .writeOnly, options: .create, permissions: .ownerReadWrite)
                _ = try file.closeAfter { try file.writeAll(content) }
            }
        }
    }

    private func measure(_ name: String, _ layer: LayerID, trees: [FilePath]?) throws -> Report.ContentChanges {
        func compare() throws {
            let changes = try fixture.store.changes(of: layer).map { "\($0)" }
            guard changes.count == 2 else { throw Failure("the changes are \(changes)") }
        }
        var comparison = Comparison()
        try compare()
        try comparison.alternate(isQuick ? 3 : 20) { _ in
            try compare()
        } floor: { _ in
            for tree in trees ?? [] {
                let result = unsafe floor_walk(tree.string)
                guard result == 0 else { throw Errno(rawValue: result) }
            }
        }
        return Report.ContentChanges(
            name: name, files: Self.directories * Self.filesInEach, ours: comparison.ours.summary,
            floor: trees.map { _ in comparison.floor.summary })
    }
}
