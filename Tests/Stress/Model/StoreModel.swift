/// The required state of the layers of one lane.
struct StoreModel: Equatable {
    /// A layer.
    struct Layer: Equatable {
        /// The layer that it was made from; `nil` is the base device.
        var parent: String?
        var size: UInt64
        /// The markers in it: its parent's and its own.
        var files: Set<String> = []
        /// The markers that a killed operation may have written in part.
        var torn: Set<String> = []
        /// Whether it is mounted; `nil` where that is not known.
        var isMounted: Bool?
    }

    /// The rules for all stores of a round.
    struct Rules {
        let baseSize: UInt64
        /// Whether a layer in use is taken down, or deleted, later.
        var defersRemoval = true
        var defersDeletion = true
        /// Whether another operation may shut the store down at any moment.
        var hasShutdowns = false
        /// Whether a service serves the snapshots now and then.
        var hasService = false
    }

    var layers: [String: Layer] = [:]

    /// The possible answers to an operation that runs alone, each with the model after it.
    ///
    /// - Parameter read: The layers that another operation reads meanwhile without a lock.
    func steps(of operation: StoreOperation, _ rules: Rules, read: Set<String>) -> [(
        outcome: Outcome, model: StoreModel
    )] {
        switch operation {
        case .create, .copy, .remove: existenceSteps(of: operation, rules, read)
        case .list: [(.found(Set(layers.keys)), self)]
        case .check: [(.done, self)]
        case .growPool: [(.done, self), (.refused(.sizeTooSmall), self)]
        case .trim(nil): [(.done, self)]
        case .shutdown: shutdownSteps(rules)
        case .mount(let name), .unmount(let name), .resize(let name, _), .trim(let name?), .diff(let name),
            .apply(let name, _):
            if let layer = layers[name] {
                steps(of: operation, on: name, layer, rules, isRead: read.contains(name))
            } else {
                [(.refused(.noSuchLayer), self)]
            }
        }
    }

    /// The possible models after an operation was killed.
    ///
    /// It did nothing, or everything, and its layer may be mounted or not.
    func remains(of operation: StoreOperation, _ rules: Rules, read: Set<String>) -> [StoreModel] {
        let models = [self] + steps(of: operation, rules, read: read).map(\.model)
        return models.map { model in
            var model = model
            for name in operation == .shutdown ? Array(model.layers.keys) : [operation.layer].compactMap(\.self) {
                model.layers[name]?.isMounted = nil
                if case .apply(_, let marker) = operation, model.layers[name]?.files.contains(marker) == true {
                    model.layers[name]?.torn.insert(marker)
                }
            }
            return model
        }
    }

    private func with(_ name: String, _ layer: Layer?) -> StoreModel {
        var model = self
        model.layers[name] = layer
        return model
    }

    private func existenceSteps(
        of operation: StoreOperation, _ rules: Rules, _ read: Set<String>
    ) -> [(outcome: Outcome, model: StoreModel)] {
        switch operation {
        case .create(let name):
            guard layers[name] == nil else { return [(.refused(.layerExists), self)] }
            return [(.done, with(name, Layer(size: rules.baseSize, isMounted: false)))]
        case .copy(let name, let parent):
            var refusals: [(outcome: Outcome, model: StoreModel)] = []
            if layers[name] != nil { refusals.append((.refused(.layerExists), self)) }
            guard var copy = layers[parent] else { return refusals + [(.refused(.noSuchLayer), self)] }
            guard refusals.isEmpty else { return refusals }
            (copy.parent, copy.isMounted) = (parent, false)
            return [(.done, with(name, copy))]
        case .remove(let name):
            guard var layer = layers[name] else { return [(.absent, self)] }
            let removed = with(name, nil)
            guard read.contains(name) else { return [(.done, removed)] }
            layer.isMounted = nil
            return [(.done, removed)]
                + (rules.defersDeletion ? [(.deferred, removed)] : [(.refused(.inUse), with(name, layer))])
        default: return []
        }
    }

    private func steps(
        of operation: StoreOperation, on name: String, _ layer: Layer, _ rules: Rules, isRead: Bool
    ) -> [(outcome: Outcome, model: StoreModel)] {
        var after = layer
        // A process that reads a layer that is not mounted has a device that cannot be written.
        let refusals: [(outcome: Outcome, model: StoreModel)] =
            isRead && layer.isMounted != true ? [(.refused(.inUse), self)] : []
        switch operation {
        case .mount: after.isMounted = true
        case .unmount:
            after.isMounted = false
            guard isRead else { break }
            let unmounted = with(name, after)
            after.isMounted = nil
            return [(.done, unmounted)]
                + (rules.defersRemoval ? [(.deferred, unmounted)] : [(.refused(.inUse), with(name, after))])
        case .resize(_, let size):
            guard size >= layer.size else { return [(.refused(.sizeTooSmall), self)] }
            after.size = size
        case .diff:
            guard let parent = layer.parent else { return [(.found(layer.files), self)] }
            guard let parentLayer = layers[parent] else { return [(.refused(.noSuchLayer), self)] }
            return [(.found(layer.files.subtracting(parentLayer.files)), self)]
        case .apply(_, let marker): after.files.insert(marker)
        default: break
        }
        return [(.done, with(name, after))] + refusals
    }

    private func shutdownSteps(_ rules: Rules) -> [(outcome: Outcome, model: StoreModel)] {
        var (down, partly) = (self, self)
        for name in layers.keys {
            down.layers[name]?.isMounted = false
            partly.layers[name]?.isMounted = nil
        }
        // Operations of other lanes read layers without a lock.
        return [(.done, down), (.refused(.inUse), partly)] + (rules.hasService ? [(.refused(.served), self)] : [])
    }
}
