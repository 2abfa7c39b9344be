/// Two operations that ran at the same time, with their answers, and what may be true behind them.
///
/// The answers are right if the two could have given them one after the other, in one of the two orders.
struct Judgement {
    let before: StoreModel
    let rules: StoreModel.Rules
    let answers: [(operation: StoreOperation, outcome: Outcome)]

    /// The states that explain the answers; none if the answers are wrong.
    func explanations() -> [StoreModel] {
        guard answers.count > 1 else { return answers.first.map { after($0, before) } ?? [before] }
        return [answers, answers.reversed()].flatMap { order in
            order.dropFirst().reduce(after(order[0], before)) { models, answer in
                models.flatMap { after(answer, $0) }
            }
        }
    }

    /// The layers that an operation of the two reads without a lock.
    private var read: Set<String> {
        var names: Set<String> = []
        for case .diff(let name) in answers.map(\.operation) {
            names.insert(name)
            // A child that the other operation makes has the same parent.
            if let parent = before.layers[name]?.parent { names.insert(parent) }
            for case .copy(name, let parent) in answers.map(\.operation) { names.insert(parent) }
        }
        return names
    }

    private func after(_ answer: (operation: StoreOperation, outcome: Outcome), _ model: StoreModel) -> [StoreModel] {
        if answer.outcome == .killed { return model.remains(of: answer.operation, rules, read: read) }
        return model.steps(of: answer.operation, rules, read: read).filter { $0.outcome == answer.outcome }.map(\.model)
    }
}

/// The observed state of the layers of a lane.
struct Observation: Equatable {
    struct Layer: Equatable {
        let parent: String?
        let size: UInt64
        let isMounted: Bool
        /// The markers that are whole.
        let files: Set<String>
        /// The markers that are not.
        let torn: Set<String>
    }

    var layers: [String: Layer] = [:]

    /// Why a state cannot be the one that was seen; `nil` if it can.
    func contradiction(to model: StoreModel, _ rules: StoreModel.Rules) -> String? {
        let names = Set(model.layers.keys).union(layers.keys).sorted()
        for name in names {
            guard let expected = model.layers[name] else { return "\(name) is there" }
            guard let seen = layers[name] else { return "\(name) is missing" }
            if seen.parent != expected.parent { return "\(name) has the parent \(seen.parent ?? "base")" }
            if seen.size != expected.size { return "\(name) has \(seen.size) bytes, and not \(expected.size)" }
            if !seen.torn.isSubset(of: expected.torn) { return "\(name) has damaged files: \(seen.torn.sorted())" }
            let (all, sure) = (seen.files.union(seen.torn), expected.files.subtracting(expected.torn))
            if !all.isSubset(of: expected.files) { return "\(name) has files of another layer: \(all.sorted())" }
            if !sure.isSubset(of: seen.files) { return "\(name) lacks \(sure.subtracting(seen.files).sorted())" }
            switch expected.isMounted {
            case true? where !seen.isMounted && !rules.hasShutdowns: return "\(name) is not mounted"
            case false? where seen.isMounted: return "\(name) is mounted"
            default: break
            }
        }
        return nil
    }

    /// The model in the state that was observed.
    var model: StoreModel {
        StoreModel(
            layers: layers.mapValues {
                .init(
                    parent: $0.parent, size: $0.size, files: $0.files.union($0.torn), torn: $0.torn,
                    isMounted: $0.isMounted)
            })
    }
}
