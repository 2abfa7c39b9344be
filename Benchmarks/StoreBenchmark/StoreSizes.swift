import LayerStore
import SystemPackage
import TestSupport

/// The cost of a command by the number of layers in the store.
struct StoreSizes {
    let isQuick: Bool
    let command: String

    private var numbers: [Int] { isQuick ? [10, 300] : [10, 300, 2_000, 10_000] }

    func run(_ volume: Volume) throws -> (sizes: [Report.StoreSize], memory: [Report.Memory]) {
        var sizes: [Report.StoreSize] = []
        var memory: [Report.Memory] = []
        var fixtures: [BenchmarkStore] = []
        for number in numbers {
            let fixture = try BenchmarkStore(volume, "store-\(number)")
            // The base device and the image are two already.
            for index in 2..<number { try fixture.store.create(LayerID("layer-\(index)"), parent: fixture.image) }
            fixtures.append(fixture)
            sizes.append(Report.StoreSize(layers: number))
        }
        try measureCommands(fixtures, &sizes)
        for (index, fixture) in fixtures.enumerated() {
            var listing = Samples()
            for _ in 0..<(isQuick ? 3 : 10) {
                let count = try listing.measure { try fixture.store.layers().count }
                guard count == numbers[index] else { throw Failure("\(count) layers, not \(numbers[index])") }
            }
            sizes[index].listingPerLayer = listing.summary.median / Double(numbers[index])
            var command = Samples()
            for _ in 0..<(isQuick ? 1 : 5) {
                command.add(
                    try MeasuredProcess.run([self.command, "--root", fixture.root.string, "list"]).microseconds)
            }
            sizes[index].commandListingPerLayer = command.summary.median / Double(numbers[index])
            for arguments in [
                ["list"], ["--json", "list"], ["create", "memory", "--parent", "image"], ["remove", "memory"],
            ] {
                memory.append(
                    Report.Memory(
                        command: "dmlayer \(arguments.joined(separator: " "))", layers: numbers[index],
                        bytes: try MeasuredProcess.run([self.command, "--root", fixture.root.string] + arguments).memory
                    ))
            }
        }
        return (sizes, memory)
    }

    /// Every command on every store, by turns.
    private func measureCommands(_ fixtures: [BenchmarkStore], _ sizes: inout [Report.StoreSize]) throws {
        var samples: [[String: Samples]] = fixtures.map { _ in [:] }
        let id = try LayerID("one")
        for _ in 0..<(isQuick ? 3 : 30) {
            for (index, fixture) in fixtures.enumerated() {
                func measure<Result>(_ name: String, _ body: (LayerStore) throws -> Result) throws {
                    _ = try samples[index][name, default: Samples()].measure {
                        try body(try fixture.opened(.beforeReturning))
                    }
                }
                try measure("open, create") { try $0.create(id, parent: fixture.image) }
                try measure("open, mount") { try $0.mount(id) }
                try measure("open, inspect") { try $0.details(of: id) }
                try measure("open, info") { try $0.status() }
                try measure("open, unmount") { try $0.unmount(id) }
                try measure("open, remove") { try $0.remove(id) }
            }
        }
        let commands = [["create", "one", "--parent", "image"], ["inspect", "one"], ["info"], ["remove", "one"]]
        for _ in 0..<(isQuick ? 1 : 10) {
            for (index, fixture) in fixtures.enumerated() {
                for arguments in commands {
                    let usage = try MeasuredProcess.run([command, "--root", fixture.root.string] + arguments)
                    samples[index]["dmlayer \(arguments[0])", default: Samples()].add(usage.microseconds)
                }
            }
        }
        for index in sizes.indices {
            sizes[index].commands = samples[index].mapValues(\.summary)
            for arguments in commands {
                sizes[index].systemCalls["dmlayer \(arguments[0])"] = try SystemCalls.count(
                    [command, "--root", fixtures[index].root.string] + arguments)
            }
        }
    }
}
