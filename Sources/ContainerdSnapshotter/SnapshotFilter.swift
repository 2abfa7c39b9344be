internal import LayerStore

/// A condition on snapshots in containerd's language: selectors, separated by commas, that must all hold.
///
/// A selector is the path of a field, alone or with an operator and a value: `name`, `parent`, `kind`, and `labels.` with a
/// label's name behind it. `==` needs the field to be there, `!=` holds also for one that is not, and `~=` looks for a
/// regular expression.
struct SnapshotFilter: Sendable {
    enum Comparison: Hashable, Sendable {
        case isPresent
        case equals(String)
        case differs(String)
        case matches(String)
    }

    struct Selector: Hashable, Sendable {
        var path: [String]
        var comparison: Comparison
    }

    /// None is a filter that everything passes.
    let selectors: [Selector]

    /// - Throws: ``SnapshotterError/Code/invalidArgument`` with the place where the text stops to be a filter.
    init(_ text: String) throws(SnapshotterError) {
        var parser = FilterParser(text)
        selectors = text.isEmpty ? [] : try parser.selectors()
    }

    func matches(_ snapshot: Snapshot) -> Bool {
        selectors.allSatisfy { selector in
            let value = snapshot.field(selector.path)
            return switch selector.comparison {
            case .isPresent: value != nil
            case .equals(let expected): value.map(SnapshotKey.init) == SnapshotKey(expected)
            case .differs(let expected): SnapshotKey(value ?? "") != SnapshotKey(expected)
            case .matches(let pattern): Self.contains(pattern, in: value ?? "")
            }
        }
    }

    /// Whether a regular expression is found in a text; an expression that is not valid matches no text.
    private static func contains(_ pattern: String, in text: String) -> Bool {
        // containerd treats an expression that is not valid in the same way.
        guard let expression = try? Regex(pattern) else { return false }
        // Go's expressions match single characters of Unicode as well. A match that fails is none.
        return (try? expression.matchingSemantics(.unicodeScalar).firstMatch(in: text)) != nil
    }
}

extension Snapshot {
    /// The value of a field, or `nil` for one that is not there.
    fileprivate func field(_ path: [String]) -> String? {
        switch path[0] {
        case "name": key
        case "parent": parent
        case "kind": kind.rawValue
        case "labels": labels[path.dropFirst().joined(separator: ".")]
        default: nil
        }
    }
}
