/// The operations that meet each other.
enum OperationKind: String, CaseIterable {
    case create, copy, mount, unmount, remove, resize, trim, diff, apply
    case check
    case growPool = "grow-pool"
    case list, shutdown

    /// Whether the operation is about one layer, and not about the store.
    var hasLayer: Bool {
        switch self {
        case .create, .copy, .mount, .unmount, .remove, .resize, .trim, .diff, .apply: true
        case .check, .growPool, .list, .shutdown: false
        }
    }

    /// Whether the operation makes a layer, so that its layer is missing at first.
    var makesLayer: Bool { self == .create || self == .copy }
}

/// How the layers of two operations are related.
enum Relation: String, CaseIterable {
    case same
    /// The first operation has the parent, and the second one the child.
    case child
    case different
}

/// Two operations that are started at once.
struct Pair: Hashable, CustomStringConvertible {
    let first: OperationKind
    let second: OperationKind
    /// `same` where an operation is about the store.
    let relation: Relation

    /// All pairs.
    static let all: [Pair] = OperationKind.allCases.flatMap { first in
        OperationKind.allCases.flatMap { second -> [Pair] in
            let relations = first.hasLayer && second.hasLayer ? Relation.allCases : [.same]
            return relations.map { Pair(first: first, second: second, relation: $0) }
        }
    }

    var description: String { "\(first.rawValue)/\(second.rawValue)/\(relation.rawValue)" }

    /// The pairs that a text names, such as “remove/*/same,create/create/same”.
    static func matching(_ text: String) -> [Pair] {
        let patterns = text.split(separator: ",").map { $0.split(separator: "/") }
        return all.filter { pair in
            let words = [pair.first.rawValue, pair.second.rawValue, pair.relation.rawValue]
            return patterns.contains { pattern in
                !pattern.isEmpty && pattern.count <= 3 && zip(pattern, words).allSatisfy { $0 == "*" || $0 == $1 }
            }
        }
    }
}

/// One operation with everything that it needs.
enum StoreOperation: Equatable, CustomStringConvertible {
    case create(String)
    case copy(String, parent: String)
    case mount(String)
    case unmount(String)
    case remove(String)
    case resize(String, UInt64)
    case trim(String?)
    case diff(String)
    case apply(String, marker: String)
    case check
    case growPool(UInt64)
    case list
    case shutdown

    /// The layer that the operation changes or reads; `nil` for the store.
    var layer: String? {
        switch self {
        case .create(let name), .copy(let name, _), .mount(let name), .unmount(let name), .remove(let name),
            .resize(let name, _), .diff(let name), .apply(let name, _):
            name
        case .trim(let name): name
        case .check, .growPool, .list, .shutdown: nil
        }
    }

    /// The operation as words for “dmlayer”; `archive` is the file that `apply` reads.
    func arguments(archive: String) -> String {
        switch self {
        case .create(let name): "create \(name)"
        case .copy(let name, let parent): "create \(name) --parent \(parent)"
        case .mount(let name): "mount \(name)"
        case .unmount(let name): "unmount \(name)"
        case .remove(let name): "remove \(name)"
        case .resize(let name, let size): "resize \(name) \(size)"
        case .trim(let name): name.map { "trim \($0)" } ?? "trim"
        case .diff(let name): "changes \(name)"
        case .apply(let name, _): "apply \(name) --input \(archive)"
        case .check: "check"
        case .growPool(let size): "pool resize \(size)"
        case .list: "list"
        case .shutdown: "shutdown"
        }
    }

    var description: String { arguments(archive: "ARCHIVE") }
}
