import Glibc
import LayerStore
import SystemPackage
import TestSupport

/// Counting the system calls of an operation, by strace.
struct SystemCalls {
    let fixture: BenchmarkStore

    private static let operations = ["create", "mount", "inspect", "info", "unmount", "remove"]
    private static let rounds = 10

    /// How many system calls a program makes, with its threads and processes.
    static func count(_ arguments: [String]) throws -> Double {
        let trace = "/run/bench-trace"
        try MeasuredProcess.run(["/usr/bin/strace", "-f", "-c", "-o", trace] + arguments)
        // The last line: 100.00, seconds, microseconds a call, calls, errors, “total”.
        let total = try Shell.run("grep ' total$' \(trace)").split(separator: " ")
        guard total.count >= 5, let count = Double(total[total.count >= 6 ? 3 : 2]) ?? Double(total[3]) else {
            throw Failure("strace printed “\(total.joined(separator: " "))”")
        }
        return count
    }

    /// The system calls of each operation: what a run of twice as many has more.
    func perOperation() throws -> (ours: [String: Double], floor: [String: Double]) {
        let ours = try differences(Self.operations, isFloor: false)
        return (ours, try differences(["create", "mount", "unmount", "remove"], isFloor: true))
    }

    private func differences(_ operations: [String], isFloor: Bool) throws -> [String: Double] {
        var differences: [String: Double] = [:]
        for operation in operations {
            var counts: [Double] = []
            for (first, rounds) in [(0, Self.rounds), (Self.rounds, 2 * Self.rounds)] {
                counts.append(
                    try Self.count(
                        [
                            CommandLine.arguments[0], "--root", fixture.root.string, "--floor-directory",
                            fixture.raw.mountPoints.string, "--operation", operation, "--first", "\(first)", "--rounds",
                            "\(rounds)", "--image-device", "\(fixture.imageDevice)",
                        ] + (isFloor ? ["--floor"] : [])))
            }
            differences[operation] = (counts[1] - counts[0]) / Double(Self.rounds)
        }
        return differences
    }

    /// Performs one operation as many times as `rounds` has numbers, for strace to watch.
    static func perform(
        _ operation: String, rounds: Range<Int>, root: FilePath, floorDirectory: FilePath?, imageDevice: UInt32
    ) throws {
        if let floorDirectory {
            let raw = try RawLayers(
                pool: try BenchmarkStore.pool(of: root), directory: floorDirectory, sectors: (1 << 30) / 512)
            for round in rounds {
                let number = RawLayers.firstID + 600_000 + UInt32(round)
                switch operation {
                case "create": try raw.create(number, of: imageDevice)
                case "mount":
                    // The other directories are there from the start as well.
                    try raw.mount(number)
                case "unmount": try raw.unmount(number)
                case "remove": try raw.delete(number)
                default: throw Failure("no operation \(operation)")
                }
            }
            return
        }
        let store = try LayerStore(
            opening: root, options: StorageOptions(parsing: ["dm.blkdiscard=false"]), removals: .beforeReturning)
        let image = try LayerID("image")
        for round in rounds {
            let id = try LayerID("traced-\(round)")
            switch operation {
            case "create": try store.create(id, parent: image)
            case "mount": _ = try store.mount(id)
            case "inspect": _ = try store.details(of: id)
            case "info": _ = try store.status()
            case "unmount": try store.unmount(id)
            case "remove": try store.remove(id)
            default: throw Failure("no operation \(operation)")
            }
        }
    }

    /// Makes the mount points of the floor.
    func prepare() throws {
        for round in 0..<(3 * Self.rounds) {
            try makeDirectory(fixture.raw.mountPoint(of: RawLayers.firstID + 600_000 + UInt32(round)))
        }
    }
}
