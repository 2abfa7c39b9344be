import SystemCalls
import TestSupport

/// Two operations that are started at once.
struct Trial {
    let pair: Pair
    let operations: [StoreOperation]
    let vehicles: [Vehicle]
    /// How much later than the other one each begins.
    let delays: [Duration]
    /// How much of the time that a command needs to begin a thread waits that meets a command.
    let headStart: Double
    /// After how much of the time of a short command a command is killed.
    let kill: Double
    /// The layers that must be there before, with their parents, and whether they are mounted.
    let needs: [String: (parent: String?, isMounted: Bool)]
    /// The layers that must not be there before.
    let absent: Set<String>

    /// Chooses everything about a trial.
    ///
    /// - Parameters:
    ///   - lane: The prefix of the names of the layers.
    ///   - number: A number that no other trial of the store has.
    init(
        _ pair: Pair, lane: String, number: String, sizes: (layer: UInt64, pool: UInt64),
        using random: inout SeededRandom
    ) {
        self.pair = pair
        let names = ["\(lane)a", pair.relation == .same ? "\(lane)a" : "\(lane)b"]
        var (needs, absent): ([String: (parent: String?, isMounted: Bool)], Set<String>) = ([:], [])
        var operations: [StoreOperation] = []
        for (place, kind) in [pair.first, pair.second].enumerated() {
            let name = names[place]
            // Two copies of one layer have one name, or two.
            let copy = Bool.random(using: &random) ? "\(lane)c" : "\(lane)c\(place)"
            let makesChild = kind == .copy && place == 1 && pair.relation == .child
            if kind == .copy, !makesChild { absent.insert(copy) }
            if kind == .create || makesChild, Int.random(in: 0..<10, using: &random) < 8 { absent.insert(name) }
            if kind == .remove || kind == .mount, Int.random(in: 0..<10, using: &random) == 0 { absent.insert(name) }
            let marker = "\(MarkerFile.prefix)\(number)-\(place)"
            operations.append(
                Self.operation(
                    kind, on: name, copy: makesChild ? (name, names[0]) : (copy, name), marker: marker, sizes: sizes,
                    using: &random))
        }
        for (place, name) in names.enumerated() {
            let parent = place == 1 && pair.relation == .child ? names[0] : nil
            // Both places may have one layer.
            if needs[name] == nil { needs[name] = (parent, Bool.random(using: &random)) }
        }
        self.operations = operations
        self.absent = absent
        // The child of a layer that is missing is there all the same.
        self.needs = needs.filter { !absent.contains($0.key) }
        vehicles = [.random(using: &random), .random(using: &random)]
        let late = [0, 0, 1_000, 10_000, 60_000].randomElement(using: &random) ?? 0
        let delay = Duration.microseconds(Int.random(in: 0...late, using: &random))
        delays = Bool.random(using: &random) ? [delay, .zero] : [.zero, delay]
        headStart = .random(in: 0..<2, using: &random)
        kill = .random(in: 0..<4, using: &random)
    }

    private static func operation(
        _ kind: OperationKind, on name: String, copy: (name: String, parent: String), marker: String,
        sizes: (layer: UInt64, pool: UInt64), using random: inout SeededRandom
    ) -> StoreOperation {
        switch kind {
        case .create: .create(name)
        case .copy: .copy(copy.name, parent: copy.parent)
        case .mount: .mount(name)
        case .unmount: .unmount(name)
        case .remove: .remove(name)
        case .resize: .resize(name, sizes.layer + UInt64.random(in: 1...4, using: &random) << 20)
        case .trim: .trim(Bool.random(using: &random) ? name : nil)
        case .diff: .diff(name)
        case .apply: .apply(name, marker: marker)
        case .check: .check
        case .growPool: .growPool(sizes.pool + UInt64.random(in: 0...2, using: &random) << 20)
        case .list: .list
        case .shutdown: .shutdown
        }
    }

    /// Carries both out.
    ///
    /// - Parameter short: How long a command takes that does little.
    func run(in stores: LaneStores, short: Duration) throws -> [Outcome] {
        try stores.prepareArchives(of: operations)
        let begin = ContinuousClock.now + .milliseconds(2)
        // A process begins its work later than a thread.
        let isMixed = vehicles[0].isCommand != vehicles[1].isCommand
        return try onThreads(2) { [self] place in
            let own = isMixed && !vehicles[place].isCommand ? short * headStart : delays[place]
            pause(for: begin - .now + own)
            return stores.carryOut(operations[place], by: vehicles[place], place: place, killingAfter: short * kill)
        }.map { try $0.get() }
    }

    /// One line about the trial.
    func words(_ outcomes: [Outcome]) -> String {
        zip(0..<2, outcomes).map { place, outcome in
            "\(operations[place]) (\(vehicles[place].rawValue), after \(delays[place])): \(outcome)"
        }.joined(separator: " | ")
    }
}
