import BenchmarkFloor
import Glibc
import LayerStore
import SystemPackage
import TestSupport

/// Making, mounting, unmounting and removing layers, beside the floor.
struct LayerOperations {
    let fixture: BenchmarkStore
    let place: Place
    let isQuick: Bool

    private static let snapshot = "create_snap, write, fdatasync"
    private static let mapping = "create, load, resume, mount"
    private static let unmapping = "umount, remove"

    func run() throws -> [Report.Operation] {
        try create() + mountAndUnmount() + remove()
    }

    private func operation(
        _ name: String, _ comparison: Comparison, floorIs: String
    ) -> Report.Operation {
        Report.Operation(
            name: name, place: place, ours: comparison.ours.summary, floor: comparison.floor.summary, floorIs: floorIs)
    }

    private func layers(_ name: String, _ count: Int) throws -> [LayerID] {
        try (0..<count).map { try LayerID("\(name)-\($0)") }
    }

    /// Numbers of thin devices for the floor.
    private func numbers(_ index: UInt32, _ count: Int) -> [UInt32] {
        let first = RawLayers.firstID + index * 100_000
        return (0..<count).map { first + UInt32($0) }
    }

    // MARK: Create

    private func create() throws -> [Report.Operation] {
        let rounds = isQuick ? 20 : place == .disk ? 60 : 200
        let (store, raw) = (fixture.store, fixture.raw)
        var results: [Report.Operation] = []
        for (index, shape) in ["chain", "siblings"].enumerated() {
            let ids = try layers(shape, rounds)
            let numbers = numbers(UInt32(index), rounds)
            var comparison = Comparison()
            try comparison.alternate(rounds) { round in
                try store.create(
                    ids[round], parent: shape == "chain" && round > 0 ? ids[round - 1] : fixture.image)
            } floor: { round in
                try raw.create(
                    numbers[round],
                    of: shape == "chain" && round > 0 ? numbers[round - 1] : fixture.imageDevice)
            }
            try fixture.remove(ids)
            for number in numbers { try raw.delete(number) }

            var result = operation("create (\(shape))", comparison, floorIs: Self.snapshot)
            result.commits = try commits(20) { index in try store.create(ids[index], parent: fixture.image) }
            result.floorCommits = try commits(20) { try raw.create(numbers[$0], of: fixture.imageDevice) }
            try fixture.remove(Array(ids[..<20]))
            for number in numbers[..<20] { try raw.delete(number) }
            results.append(result)
        }
        return results + [try register(rounds)]
    }

    /// Measures the new file of a layer, which Docker's format takes besides the snapshot.
    private func register(_ rounds: Int) throws -> Report.Operation {
        var samples = Samples()
        for number in numbers(4, rounds) {
            let result = samples.measure { unsafe floor_register(fixture.raw.mountPoints.string, number) }
            guard result == 0 else { throw Errno(rawValue: result) }
        }
        return Report.Operation(
            name: "a new file, renamed and synchronised", place: place, ours: samples.summary, floor: nil, floorIs: "-")
    }

    // MARK: Mount and unmount

    private func mountAndUnmount() throws -> [Report.Operation] {
        let rounds = isQuick ? 20 : 60
        let (store, raw) = (fixture.store, fixture.raw)
        let ids = try layers("mount", rounds)
        let numbers = numbers(2, rounds)
        for id in ids { try store.create(id, parent: fixture.image) }
        for number in numbers {
            try raw.create(number, of: fixture.imageDevice)
            try makeDirectory(raw.mountPoint(of: number))
        }
        var (mounts, unmounts) = (Comparison(), Comparison())
        for round in 0..<rounds {
            func mountOurs() throws {
                let path = try mounts.ours.measure { try store.mount(ids[round]) }
                try write(path.appending("new"))
            }
            func mountFloor() throws {
                try mounts.floor.measure { try raw.mount(numbers[round]) }
                try write(raw.mountPoint(of: numbers[round]).appending("rootfs/new"))
            }
            for isOurs in round.isMultiple(of: 2) ? [true, false] : [false, true] {
                try isOurs ? mountOurs() : mountFloor()
            }
            for isOurs in round.isMultiple(of: 2) ? [true, false] : [false, true] {
                if isOurs {
                    _ = try unmounts.ours.measure { try store.unmount(ids[round]) }
                } else {
                    try unmounts.floor.measure { try raw.unmount(numbers[round]) }
                }
            }
        }
        var mount = operation("mount", mounts, floorIs: Self.mapping)
        var unmount = operation("unmount", unmounts, floorIs: Self.unmapping)
        mount.commits = try commits(20) { _ = try store.mount(ids[$0]) }
        unmount.commits = try commits(20) { try store.unmount(ids[$0]) }
        mount.floorCommits = try commits(20) { try raw.mount(numbers[$0]) }
        unmount.floorCommits = try commits(20) { try raw.unmount(numbers[$0]) }

        // A layer that was mounted has blocks of its own, so a discard has something to do.
        let discarding = try fixture.opened(.beforeReturning, options: ["dm.blkdiscard=true"])
        var removals = Comparison()
        try removals.alternate(rounds) {
            try discarding.remove(ids[$0])
        } floor: {
            try raw.delete(numbers[$0])
        }
        return [
            mount, unmount, operation("remove of a written layer, whole, with discards", removals, floorIs: "delete"),
        ]
    }

    private func write(_ path: FilePath) throws {
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
        _ = try file.closeAfter { try file.writeAll([UInt8](repeating: 0x61, count: 4096)) }
    }

    // MARK: Remove

    private func remove() throws -> [Report.Operation] {
        let rounds = isQuick ? 20 : place == .disk ? 40 : 100
        let (store, raw) = (fixture.store, fixture.raw)
        let ids = try layers("remove", rounds)
        let numbers = numbers(3, rounds)
        func prepare() throws {
            for id in ids { try store.create(id, parent: fixture.image) }
            for number in numbers { try raw.create(number, of: fixture.imageDevice) }
        }

        try prepare()
        var waiting = Comparison()
        for round in 0..<rounds {
            _ = try waiting.ours.measure { try store.remove(ids[round]) }
            // The floor must not run beside what goes on behind the caller.
            try fixture.waitForRemovals()
            try waiting.floor.measure { try raw.delete(numbers[round]) }
        }

        try prepare()
        let plain = try fixture.opened(.beforeReturning, options: ["dm.blkdiscard=false"])
        var whole = Comparison()
        try whole.alternate(rounds) {
            try plain.remove(ids[$0])
        } floor: {
            try raw.delete(numbers[$0])
        }

        try prepare()
        let discarding = try fixture.opened(.beforeReturning, options: ["dm.blkdiscard=true"])
        var discarded = Comparison()
        try discarded.alternate(rounds) {
            try discarding.remove(ids[$0])
        } floor: {
            try raw.delete(numbers[$0])
        }

        var synchronisations = Comparison()
        let names = [fixture.raw.mountPoints.appending("one"), fixture.raw.mountPoints.appending("other")]
        try Shell.run("touch '\(names[0])'")
        try synchronisations.alternate(rounds) { round in
            // A rename, so that there is something to write.
            guard unsafe rename(names[round % 2].string, names[1 - round % 2].string) == 0 else {
                throw Errno(rawValue: errno)
            }
            let result = unsafe floor_synchronize(fixture.raw.mountPoints.string)
            guard result == 0 else { throw Errno(rawValue: result) }
        } floor: { _ in
        }

        var caller = operation("remove, what a caller waits", waiting, floorIs: "delete")
        var without = operation("remove, whole, without discards", whole, floorIs: "delete")
        try prepare()
        caller.commits = try commits(20) { try store.remove(ids[$0]) }
        try fixture.waitForRemovals()
        for id in ids[..<20] { try store.create(id, parent: fixture.image) }
        without.commits = try commits(20) { try plain.remove(ids[$0]) }
        without.floorCommits = try commits(20) { try raw.delete(numbers[$0]) }
        try fixture.remove(Array(ids[20...]))
        for number in numbers[20...] { try raw.delete(number) }
        return [
            caller, without, operation("remove, whole, with discards", discarded, floorIs: "delete"),
            Report.Operation(
                name: "rename in a directory and its fsync", place: place, ours: synchronisations.ours.summary,
                floor: nil, floorIs: "-"),
        ]
    }

    private func commits(_ rounds: Int, _ body: (Int) throws -> Void) throws -> Double {
        try fixture.commits { for round in 0..<rounds { try body(round) } } / Double(rounds)
    }
}
