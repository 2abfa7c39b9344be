import FoundationEssentials
import SystemPackage

/// Everything that was measured.
struct Report: Encodable {
    /// The kernel's release.
    var kernel = ""
    /// The processors that the kernel has.
    var processors = 0
    /// The least that a system call costs here, in microseconds.
    var systemCall = Summary(p10: .nan, median: .nan, p99: .nan, count: 0)
    var operations: [Operation] = []
    var concurrency: [Concurrency] = []
    /// Calls of the service over its socket.
    var service: [Operation] = []
    var serviceConcurrency: [Concurrency] = []
    var sizes: [StoreSize] = []
    var changes: [ContentChanges] = []
    var memory: [Memory] = []

    /// One operation beside its floor.
    struct Operation: Encodable {
        let name: String
        let place: Place
        let ours: Summary
        let floor: Summary?
        /// The operation that is measured as the floor, in words.
        let floorIs: String
        /// Commits of the pool for each.
        var commits: Double?
        var floorCommits: Double?
        /// System calls for each.
        var systemCalls: Double?
        var floorSystemCalls: Double?
    }

    /// As many operations on eight threads as on one.
    struct Concurrency: Encodable {
        let name: String
        let place: Place
        let operations: Int
        /// All of them together, in microseconds.
        let oneThread: Summary
        let eightThreads: Summary
        let floorOneThread: Summary
        let floorEightThreads: Summary
    }

    /// The cost of commands on a store with a number of layers.
    struct StoreSize: Encodable {
        let layers: Int
        /// By the command, in microseconds.
        var commands: [String: Summary] = [:]
        /// System calls of each command.
        var systemCalls: [String: Double] = [:]
        /// Listing all, for each layer.
        var listingPerLayer = 0.0
        /// The same by the command, its start included.
        var commandListingPerLayer = 0.0
    }

    /// The time to find the one file that a layer has changed.
    struct ContentChanges: Encodable {
        let name: String
        let files: Int
        let ours: Summary
        /// Walking both trees.
        let floor: Summary?
    }

    /// The most memory that a command has had, in bytes.
    struct Memory: Encodable {
        let command: String
        let layers: Int
        let bytes: Int
    }

    func json() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        return Array(try encoder.encode(self))
    }
}

/// The report as tables in Markdown.
extension Report {
    /// The kernel, the number of processors and the cost of a system call.
    var heading: String {
        "Kernel \(kernel), processors: \(processors). A system call: \(microseconds(systemCall.p10)) µs (p10), "
            + "\(microseconds(systemCall.median)) µs (median).\n"
    }

    /// The operations at one place.
    func operationTable(_ place: Place) -> String { operationTable("Operations", operations, place) }

    /// The calls of the service at one place.
    func serviceTables(_ place: Place) -> String {
        operationTable("Calls over the socket of “dmlayer serve”", service, place)
            + concurrencyTable("Eight clients", "client", serviceConcurrency, place)
    }

    private func operationTable(_ title: String, _ operations: [Operation], _ place: Place) -> String {
        table(
            "\(title), the root on \(place.rawValue) (µs: p10 / median / p99)",
            ["operation", "ours", "floor", "floor is", "ratio of medians (of p10)", "commits", "system calls"],
            operations.filter { $0.place == place }.map(row))
    }

    /// Eight threads beside one, at one place.
    func concurrencyTable(_ place: Place) -> String {
        concurrencyTable("Eight threads", "thread", concurrency, place)
    }

    private func concurrencyTable(
        _ title: String, _ what: String, _ concurrency: [Concurrency], _ place: Place
    ) -> String {
        table(
            "\(title) on one pool, the root on \(place.rawValue) (ms for all together: median)",
            ["operations", "one \(what)", "eight \(what)s", "ratio", "floor: one", "floor: eight", "ratio"],
            concurrency.filter { $0.place == place }.map(row))
    }

    /// The changes of a layer.
    var changesTable: String {
        table(
            "The one file that a layer has changed (ms: p10 / median / p99)",
            ["files", "the layers", "ours", "lstat of every file in both"],
            changes.map { ["\($0.files)", $0.name, milliseconds($0.ours), $0.floor.map(milliseconds) ?? "-"] })
    }

    /// Commands by the size of the store, and their memory.
    var sizesTables: String {
        table(
            "One command, by the number of layers in the store (ms: p10 / median; and times the smallest store's)",
            ["command"] + sizes.map { "\($0.layers) layers" }, commandRows())
            + table(
                "Memory of a process, at the most", ["command", "layers in the store", "MiB"],
                memory.map { [$0.command, "\($0.layers)", decimal(Double($0.bytes) / 1_048_576, 1)] })
    }

    private func row(_ operation: Operation) -> [String] {
        let ratio = operation.floor.map { operation.ours.ratio(to: $0) }
        func both(_ ours: Double?, _ floor: Double?) -> String {
            guard let ours else { return "-" }
            return decimal(ours, 1) + (floor.map { " (floor \(decimal($0, 1)))" } ?? "")
        }
        return [
            operation.name, microseconds(operation.ours), operation.floor.map(microseconds) ?? "-", operation.floorIs,
            ratio.map { "\(decimal($0.median, 2)) (\(decimal($0.p10, 2)))" } ?? "-",
            both(operation.commits, operation.floorCommits), both(operation.systemCalls, operation.floorSystemCalls),
        ]
    }

    private func row(_ concurrency: Concurrency) -> [String] {
        func milliseconds(_ summary: Summary) -> String { decimal(summary.median / 1000, 1) }
        return [
            "\(concurrency.operations) × \(concurrency.name)",
            milliseconds(concurrency.oneThread), milliseconds(concurrency.eightThreads),
            decimal(concurrency.eightThreads.median / concurrency.oneThread.median, 2),
            milliseconds(concurrency.floorOneThread), milliseconds(concurrency.floorEightThreads),
            decimal(concurrency.floorEightThreads.median / concurrency.floorOneThread.median, 2),
        ]
    }

    private func commandRows() -> [[String]] {
        guard let smallest = sizes.first else { return [] }
        let rows = smallest.commands.keys.sorted().map { command in
            [command]
                + sizes.map { size in
                    guard let summary = size.commands[command], let least = smallest.commands[command] else {
                        return "-"
                    }
                    let ratio = summary.ratio(to: least)
                    return "\(decimal(summary.p10 / 1000, 2)) / \(decimal(summary.median / 1000, 2)); "
                        + "\(decimal(ratio.p10, 2)) / \(decimal(ratio.median, 2))"
                }
        }
        let calls = smallest.systemCalls.keys.sorted().map { command in
            ["system calls of \(command)"] + sizes.map { decimal($0.systemCalls[command] ?? .nan, 0) }
        }
        return rows + calls
            + [
                ["listing all in process, µs for each layer"] + sizes.map { decimal($0.listingPerLayer, 1) },
                ["dmlayer list, µs for each layer"] + sizes.map { decimal($0.commandListingPerLayer, 1) },
            ]
    }

    private func table(_ title: String, _ header: [String], _ rows: [[String]]) -> String {
        let all = [header, header.map { _ in "---" }] + rows
        return title + "\n\n" + all.map { "| " + $0.joined(separator: " | ") + " |\n" }.joined() + "\n"
    }

    private func microseconds(_ summary: Summary) -> String {
        [summary.p10, summary.median, summary.p99].map { microseconds($0) }.joined(separator: " / ")
    }

    private func microseconds(_ value: Double) -> String { decimal(value, value < 10 ? 1 : 0) }

    private func milliseconds(_ summary: Summary) -> String {
        [summary.p10, summary.median, summary.p99].map { decimal($0 / 1000, 1) }.joined(separator: " / ")
    }

    private func decimal(_ value: Double, _ places: Int) -> String {
        guard value.isFinite else { return "-" }
        let scale = places == 0 ? 1.0 : places == 1 ? 10.0 : 100.0
        let scaled = Int64((value * scale).rounded())
        guard places > 0 else { return "\(scaled)" }
        let fraction = String(abs(scaled) % Int64(scale))
        let sign = scaled < 0 ? "-" : ""
        return "\(sign)\(abs(scaled) / Int64(scale))."
            + String(repeating: "0", count: places - fraction.count) + fraction
    }
}
