import LayerStore
import SystemPackage
import TestSupport

/// Random operations on a store, from several threads, until the power is cut.
final class Workload: Sendable {
    static let options = [
        "dm.basesize=64m", "dm.loopdatasize=768m", "dm.loopmetadatasize=8m", "dm.fs=ext4", "dm.min_free_space=1%",
    ]
    /// How many layers a thread has at the most.
    private static let layersPerThread = 4

    private let store: LayerStore
    private let log: EventLog
    private let process: Int
    private let seed: UInt64
    /// The layers that were there before.
    private let inherited: [String]

    init(_ root: FilePath, _ log: EventLog, _ expectations: Expectations, process: Int, seed: UInt64) throws {
        if !expectations.isInitialized { try log.record(Event(.initialize)) }
        store = try LayerStore.initialize(root, options: StorageOptions(parsing: Self.options))
        if !expectations.isInitialized { try log.record(Event(.initialized)) }
        self.log = log
        self.process = process
        self.seed = seed
        inherited = expectations.layers.keys.sorted()
    }

    /// Works on `threads` threads, for ever.
    ///
    /// - Parameter shutsDown: Whether the store is shut down now and then, which needs this process to be the only one.
    func run(threads: Int, shutsDown: Bool) throws {
        var workers = (0..<threads).map { index in
            Worker(
                prefix: "p\(process)t\(index)-", random: SeededRandom(seed: seed &+ UInt64(process * 100 + index)),
                inherited: inherited)
        }
        while true {
            let current = workers
            workers = try onThreads(threads) { index in
                var worker = current[index]
                for _ in 0..<25 { try self.step(&worker) }
                return worker
            }.map { try $0.get() }
            guard shutsDown, Bool.random(using: &workers[0].random) else { continue }
            try store.shutdown()
            for index in workers.indices { workers[index].mounted = [:] }
        }
    }

    /// The layers of one thread, which no other thread touches but to copy them.
    private struct Worker {
        let prefix: String
        var random: SeededRandom
        var layers: [String]
        var mounted: [String: FilePath] = [:]
        var writes = 0

        init(prefix: String, random: SeededRandom, inherited: [String]) {
            self.prefix = prefix
            self.random = random
            layers = inherited.filter { $0.hasPrefix(prefix) }
        }
    }

    private func step(_ worker: inout Worker) throws {
        let choice = Int.random(in: 0..<100, using: &worker.random)
        if worker.layers.isEmpty || choice < 30 && worker.layers.count < Self.layersPerThread {
            return try create(&worker)
        }
        guard let layer = worker.layers.randomElement(using: &worker.random) else { return }
        switch choice {
        case ..<75: try write(layer, &worker)
        case ..<79: try unmount(layer, &worker)
        case ..<82: try resize(layer, &worker)
        case ..<83: try resizePool(&worker)
        case ..<84: _ = try store.trim()
        default: try remove(layer, &worker)
        }
    }

    private func create(_ worker: inout Worker) throws {
        // Names come back: a new layer must not be taken for a removed one.
        let free = (0..<Self.layersPerThread).map { "\(worker.prefix)\($0)" }.filter { !worker.layers.contains($0) }
        guard let name = free.randomElement(using: &worker.random) else { return }
        guard case .layer(let parent, let record)? = try store.layers().randomElement(using: &worker.random) else {
            return
        }
        let isLarger = Int.random(in: 0..<8, using: &worker.random) == 0 && record.size < 128 << 20
        let size = isLarger ? record.size + 8 << 20 : nil
        try log.record(Event(.create, name, parent.text, stamp: size.map { "\($0)" } ?? ""))
        do {
            try store.create(LayerID(name), parent: parent == .base ? nil : parent, size: size)
        } catch {
            // Another thread has removed the parent, or made it larger.
            guard [.noSuchLayer, .sizeTooSmall].contains(error.code) else { throw error }
            return try log.record(Event(.refused, name))
        }
        try log.record(Event(.created, name))
        worker.layers.append(name)
    }

    private func write(_ layer: String, _ worker: inout Worker) throws {
        let directory: FilePath
        if let path = worker.mounted[layer] {
            directory = path
        } else {
            directory = try store.mount(LayerID(layer))
            worker.mounted[layer] = directory
        }
        let names = FileContent.names.shuffled(using: &worker.random).prefix(2)
        worker.writes += 1
        let stamp = "\(worker.prefix)\(seed)-\(worker.writes)"
        for name in names { try log.record(Event(.write, layer, name, stamp: stamp)) }
        // Either each file is synchronised, or the unmount makes them durable.
        let synchronizes = Int.random(in: 0..<3, using: &worker.random) > 0
        for name in names {
            try FileContent.write(name, stamp: stamp, in: directory, synchronizing: synchronizes)
            if synchronizes { try log.record(Event(.written, layer, name, stamp: stamp)) }
        }
        guard !synchronizes else { return }
        try unmount(layer, &worker)
        for name in names { try log.record(Event(.written, layer, name, stamp: stamp)) }
    }

    private func unmount(_ layer: String, _ worker: inout Worker) throws {
        guard worker.mounted.removeValue(forKey: layer) != nil else { return }
        try store.unmount(LayerID(layer))
    }

    private func resize(_ layer: String, _ worker: inout Worker) throws {
        let id = try LayerID(layer)
        let size = try store.details(of: id).record.size + 8 << 20
        guard size < 160 << 20 else { return }
        try log.record(Event(.resize, layer, "\(size)"))
        try store.resize(id, to: size)
        try log.record(Event(.resized, layer, "\(size)"))
    }

    private func resizePool(_ worker: inout Worker) throws {
        let size = try store.status().data.total + 1 << 20
        guard size < 900 << 20 else { return }
        try log.record(Event(.resize, "", "\(size)"))
        do throws(LayerStoreError) {
            try store.resizePool(data: size)
        } catch {
            // Another thread, or another process, has made it larger meanwhile.
            guard error.code == .sizeTooSmall else { throw error }
            return
        }
        try log.record(Event(.resized, "", "\(size)"))
    }

    private func remove(_ layer: String, _ worker: inout Worker) throws {
        try log.record(Event(.remove, layer))
        try store.remove(LayerID(layer))
        try log.record(Event(.removed, layer))
        worker.mounted[layer] = nil
        worker.layers.removeAll { $0 == layer }
    }
}
