/// The required and the possible content of a store after a power cut, worked out from the events before it.
struct Expectations {
    /// A file in a layer.
    struct File: Equatable {
        /// Whether it was acknowledged; otherwise it may be missing, or end early.
        var isRequired: Bool
        /// The writes that may have filled its blocks.
        var stamps: Set<String>
    }

    /// A layer that is there, or may be.
    struct Layer: Equatable {
        /// Whether it must be there.
        var isRequired: Bool
        /// The layer that it is still being made from, as far as is known.
        var origin: String?
        /// The size in bytes that it and its file system have at least.
        var size: UInt64 = 0
        var files: [String: File]
    }

    /// Whether the store must be there.
    var isInitialized = false
    /// The size in bytes that the pool's data has at least.
    var poolSize: UInt64 = 0
    /// The layers that must or may be there; there must be no others.
    var layers: [String: Layer] = [:]

    // MARK: Events

    /// Takes in the events before a power cut, and those that a write of just before it may have been a part of.
    ///
    /// - Parameters:
    ///   - before: The events that were written down before the power cut.
    ///   - around: The events after it and before the disk was next flushed. Their acknowledgements mean nothing.
    mutating func take(before: some Sequence<Event>, around: some Sequence<Event>) {
        for event in before { take(event) }
        for event in around where !event.kind.isAcknowledgement { take(event) }
    }

    private mutating func take(_ event: Event) {
        let name = event.layer
        switch event.kind {
        case .initialize: break
        case .initialized: isInitialized = true
        case .create: begin(name, from: event.object, size: UInt64(event.stamp))
        case .created:
            layers[name]?.isRequired = true
            layers[name]?.origin = nil
        case .refused, .removed: layers[name] = nil
        case .write:
            layers[name]?.mayContain(event.object, event.stamp)
            // A layer that is being made from this one may have it or not.
            for (other, layer) in layers where layer.origin == name {
                layers[other]?.mayContain(event.object, event.stamp)
            }
        case .written: layers[name]?.files[event.object] = File(isRequired: true, stamps: [event.stamp])
        case .resize: break
        case .resized:
            let size = UInt64(event.object) ?? 0
            if name.isEmpty { poolSize = max(poolSize, size) } else { layers[name]?.size = size }
        case .remove: layers[name]?.isRequired = false
        }
    }

    private mutating func begin(_ name: String, from parent: String, size: UInt64?) {
        var layer = Layer(
            isRequired: false, origin: parent, size: size ?? layers[parent]?.size ?? 0,
            files: layers[parent]?.files ?? [:])
        if let old = layers[name] {
            // The removal of an older one of this name is not sure yet: it may be either.
            for (file, content) in old.files { layer.files[file, default: content].stamps.formUnion(content.stamps) }
            layer.size = 0
            for file in layer.files.keys { layer.files[file]?.isRequired = false }
        }
        layers[name] = layer
        // One of this name that is still being made into another may turn out to be this one.
        for (other, child) in layers where child.origin == name {
            layers[other]?.size = min(child.size, layer.size)
            for (file, content) in layer.files {
                layers[other]?.files[file, default: content].stamps.formUnion(content.stamps)
            }
            for file in layers[other]?.files.keys.map({ $0 }) ?? [] { layers[other]?.files[file]?.isRequired = false }
        }
    }

    // MARK: As text

    /// Reads ``text``.
    init(_ text: String) {
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map(String.init)
            switch words.first {
            case "store": isInitialized = true
            case "pool" where words.count == 2: poolSize = UInt64(words[1]) ?? 0
            case "layer" where words.count == 4:
                layers[words[1]] = Layer(
                    isRequired: words[2] == "required", origin: nil, size: UInt64(words[3]) ?? 0, files: [:])
            case "file" where words.count > 3:
                layers[words[1]]?.files[words[2]] = File(
                    isRequired: words[3] == "required", stamps: Set(words[4...]))
            default: break
            }
        }
    }

    /// Everything, in lines.
    var text: String {
        func word(_ isRequired: Bool) -> String { isRequired ? "required" : "optional" }
        var lines = (isInitialized ? ["store"] : []) + ["pool \(poolSize)"]
        for (name, layer) in layers.sorted(by: { $0.key < $1.key }) {
            lines.append("layer \(name) \(word(layer.isRequired)) \(layer.size)")
            for (file, content) in layer.files.sorted(by: { $0.key < $1.key }) {
                let stamps = content.stamps.sorted().joined(separator: " ")
                lines.append("file \(name) \(file) \(word(content.isRequired)) \(stamps)")
            }
        }
        return lines.map { $0 + "\n" }.joined()
    }
}

extension Expectations.Layer {
    fileprivate mutating func mayContain(_ file: String, _ stamp: String) {
        files[file, default: Expectations.File(isRequired: false, stamps: [])].stamps.insert(stamp)
    }
}
