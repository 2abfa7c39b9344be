import LayerStore
import SystemCalls
import SystemPackage
import TestSupport

/// One trial behind the other, on layers that no other lane touches.
struct Lane {
    /// A difference between the store and the model.
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    /// How many markers a layer has at the most, so that it does not become large.
    private static let mostFiles = 12

    private let stores: LaneStores
    private let rules: StoreModel.Rules
    private let name: String
    private let round: Int
    private var random: SeededRandom
    private var model = StoreModel()
    private var short = Duration.zero

    init(_ stores: LaneStores, _ rules: StoreModel.Rules, round: Int, seed: UInt64) {
        self.stores = stores
        self.rules = rules
        self.round = round
        name = stores.lane
        random = SeededRandom(seed: seed)
    }

    /// Carries out one trial for each pair.
    ///
    /// - Returns: The model of the lane's layers at the end.
    mutating func run(_ pairs: [Pair]) throws -> StoreModel {
        // Layers of an earlier round are there, and were verified at its end.
        model = try stores.observe(known: [:]).model
        try noteMounts()
        let begin = ContinuousClock.now
        guard case .found = stores.carryOut(.list, by: .command) else { throw Fault(description: "a list fails") }
        short = ContinuousClock.now - begin
        for (number, pair) in pairs.enumerated() { try carryOut(pair, number) }
        return model
    }

    private mutating func carryOut(_ pair: Pair, _ number: Int) throws {
        let hasPool = pair.first == .growPool || pair.second == .growPool
        let pool = try hasPool ? stores.running.watching("status") { try stores.shared.status().data.total } : 0
        let trial = Trial(
            pair, lane: name, number: "\(name)r\(round)n\(number)", sizes: (rules.baseSize, pool), using: &random)
        try prepare(trial, number)
        let before = model
        let outcomes = try trial.run(in: stores, short: short)
        let explanations = Judgement(
            before: before, rules: rules, answers: Array(zip(trial.operations, outcomes).map { ($0, $1) })
        ).explanations()
        let words = "\(pair): \(trial.words(outcomes))"
        guard !explanations.isEmpty else {
            throw Fault(description: "\(words)\n  no order of the two explains the answers; before: \(before.words)")
        }
        let touched = Set(trial.operations.compactMap(\.layer))
        let seen = try stores.observe(
            known: trial.operations.contains(.shutdown) ? [:] : before.layers.filter { !touched.contains($0.key) })
        let contradictions = explanations.map { seen.contradiction(to: $0, rules) }
        guard contradictions.contains(nil) else {
            let reasons = Set(contradictions.compactMap(\.self)).sorted().joined(separator: "; or ")
            throw Fault(description: "\(words)\n  \(reasons); before: \(before.words); seen: \(seen.model.words)")
        }
        model = seen.model
        try noteMounts()
        say("trial \(pair)")
    }

    /// A layer that was looked at is mounted now.
    private mutating func noteMounts() throws {
        for name in model.layers.keys { model.layers[name]?.isMounted = try stores.isMounted(name) }
    }

    // MARK: Before a trial

    private mutating func prepare(_ trial: Trial, _ number: Int) throws {
        let outgrown = model.layers.filter { name, layer in
            guard let need = trial.needs[name] else { return false }
            return layer.parent != need.parent || !layer.torn.isEmpty || layer.files.count > Self.mostFiles
                || layer.size > rules.baseSize + 64 << 20
        }
        for name in trial.absent.union(outgrown.keys).sorted() where model.layers[name] != nil {
            try perform(.remove(name))
        }
        // A parent comes first: its name does.
        for (name, need) in trial.needs.sorted(by: { $0.key < $1.key }) {
            if model.layers[name] == nil {
                // A parent that must not be there now is removed again.
                if let parent = need.parent, model.layers[parent] == nil { try make(parent, of: nil, number) }
                try make(name, of: need.parent, number)
            }
            // An operation made it, and nothing is in it yet.
            if model.layers[name]?.files.isEmpty == true { try mark(name, number) }
            if model.layers[name]?.isMounted != need.isMounted {
                try perform(need.isMounted ? .mount(name) : .unmount(name))
            }
        }
        for name in trial.absent where model.layers[name] != nil { try perform(.remove(name)) }
    }

    /// Makes a layer, with a marker of its own.
    private mutating func make(_ layer: String, of parent: String?, _ number: Int) throws {
        try perform(parent.map { .copy(layer, parent: $0) } ?? .create(layer))
        try mark(layer, number)
    }

    private mutating func mark(_ layer: String, _ number: Int) throws {
        let marker = "\(MarkerFile.prefix)\(name)r\(round)n\(number)-made-\(layer.dropFirst(name.count))"
        try stores.inLayer(layer) { try MarkerFile.write(marker, in: $0) }
        model.layers[layer]?.files.insert(marker)
        model.layers[layer]?.isMounted = true
    }

    /// Carries an operation out that meets no other one on this lane's layers, and must succeed.
    private mutating func perform(_ operation: StoreOperation) throws {
        let outcome = stores.carryOut(operation, by: .thread)
        let judgement = Judgement(before: model, rules: rules, answers: [(operation, outcome)])
        guard let next = judgement.explanations().first else {
            throw Fault(description: "\(operation), alone: \(outcome); before: \(model.words)")
        }
        model = next
    }
}

extension StoreModel {
    /// The state in one line.
    var words: String {
        layers.sorted { $0.key < $1.key }.map { name, layer in
            let mounted = layer.isMounted.map { $0 ? ", mounted" : "" } ?? ", perhaps mounted"
            return "\(name) of \(layer.parent ?? "base") with \(layer.size >> 20)m\(mounted) \(layer.files.sorted())"
        }.joined(separator: ", ")
    }
}
