import ArgumentParser
import BenchmarkFloor
import FoundationEssentials
import Glibc
import LayerStore
import SystemPackage
import TestSupport

/// Measures what the store costs beside a floor of bare ioctls.
///
/// `scripts/bench` runs it in the sandbox.
@main struct StoreBenchmark: ParsableCommand {
    @Flag(help: "Few rounds, to see that it works.") var quick = false
    @Option(help: "A disk for ext4; what is on it is lost.") var disk: String?
    @Option(help: "The program dmlayer.") var command = ""
    @Option(help: "Where the report goes as JSON.") var json: String?
    @Option(help: "A file of limits; a report that does not keep them is a failure.") var limits: String?
    @Option(help: "Only these parts: operations, concurrency, snapshotter, sizes, changes.") var parts =
        "operations,concurrency,snapshotter,sizes,changes"

    @Option(help: .hidden) var operation: String?
    @Option(help: .hidden) var root = ""
    @Option(help: .hidden) var floorDirectory = ""
    @Option(help: .hidden) var first = 0
    @Option(help: .hidden) var rounds = 0
    @Option(help: .hidden) var imageDevice: UInt32 = 0
    @Flag(help: .hidden) var floor = false

    func run() throws {
        if let operation {
            return try SystemCalls.perform(
                operation, rounds: first..<(first + rounds), root: FilePath(root),
                floorDirectory: floor ? FilePath(floorDirectory) : nil, imageDevice: imageDevice)
        }
        var report = Report()
        report.kernel = try Shell.run("uname -r")
        report.processors = sysconf(CInt(_SC_NPROCESSORS_ONLN))
        report.systemCall = Self.systemCall()
        print(report.heading)
        let parts = Set(parts.split(separator: ",").map(String.init))
        if !parts.isDisjoint(with: ["operations", "concurrency", "snapshotter", "changes"]) {
            for place in Place.allCases where place == .memory || disk != nil {
                try measureLayers(on: Volume(place, disk: disk ?? ""), parts, &report)
            }
        }
        if parts.contains("sizes") {
            note("stores of different sizes")
            (report.sizes, report.memory) = try StoreSizes(isQuick: quick, command: command)
                .run(Volume(.memory, disk: ""))
            print(report.sizesTables)
        }
        if let json {
            let file = try FileDescriptor.open(
                FilePath(json), .writeOnly, options: [.create, .truncate],
                permissions: [.ownerReadWrite, .groupRead, .otherRead])
            _ = try file.closeAfter { try file.writeAll(try report.json()) }
        }
        if let limits {
            let judgement = try Limits(reading: FilePath(limits)).judge(report)
            judgement.lines.forEach { print($0) }
            if !judgement.areKept { throw ExitCode.failure }
        }
    }

    private func measureLayers(on volume: Volume, _ parts: Set<String>, _ report: inout Report) throws {
        let fixture = try BenchmarkStore(volume)
        if parts.contains("operations") {
            note("operations on \(volume.place.rawValue)")
            var operations = try LayerOperations(fixture: fixture, place: volume.place, isQuick: quick).run()
            if volume.place == .memory {
                let counter = SystemCalls(fixture: fixture)
                try counter.prepare()
                let calls = try counter.perOperation()
                for index in operations.indices {
                    guard let key = Self.tracedOperation(operations[index].name) else { continue }
                    operations[index].systemCalls = calls.ours[key]
                    operations[index].floorSystemCalls = calls.floor[key]
                }
            }
            report.operations += operations
            print(report.operationTable(volume.place))
        }
        if parts.contains("concurrency") {
            note("eight threads on \(volume.place.rawValue)")
            report.concurrency += try StoreConcurrency(fixture: fixture, place: volume.place, isQuick: quick).run()
            print(report.concurrencyTable(volume.place))
        }
        if parts.contains("snapshotter") {
            note("the service on \(volume.place.rawValue)")
            let service = SnapshotterOperations(
                fixture: fixture, place: volume.place, isQuick: quick, command: command)
            let results = try service.run()
            report.service += results.operations
            report.serviceConcurrency.append(results.concurrency)
            print(report.serviceTables(volume.place))
        }
        if parts.contains("changes"), volume.place == .memory {
            note("the changes of a layer")
            report.changes = try ContentComparison(fixture: fixture, isQuick: quick).run()
            print(report.changesTable)
        }
    }

    private static func tracedOperation(_ name: String) -> String? {
        switch name {
        case "create (siblings)": "create"
        case "mount", "unmount": name
        case "remove, whole, without discards": "remove"
        default: nil
        }
    }

    private static func systemCall() -> Summary {
        var samples = Samples()
        // The fastest of a hundred at a time, without the clock.
        for _ in 0..<50 {
            let start = Clock.nanoseconds
            for _ in 0..<100 { floor_system_call() }
            samples.add(Double(Clock.nanoseconds - start - Clock.cost) / 100_000)
        }
        return samples.summary
    }

    private static let start = Clock.nanoseconds

    private func note(_ text: String) {
        fflush(nil)
        _ = try? FileDescriptor.standardError.writeAll(
            "\((Clock.nanoseconds - Self.start) / 1_000_000_000) s: \(text) …\n".utf8)
    }
}
