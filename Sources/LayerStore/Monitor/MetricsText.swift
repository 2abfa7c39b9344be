/// A page of metrics in Prometheus' text format.
public struct MetricsText: Sendable {
    /// The type of a metric.
    public enum Kind: String, Sendable {
        /// A number that only grows, from the start of the program on.
        case counter
        /// A number that goes up and down.
        case gauge
        /// Numbers of events in classes.
        case histogram
    }

    /// The name and the value of a label.
    public typealias Label = (name: String, value: String)

    /// The page.
    public private(set) var content = ""

    /// Begins an empty page.
    public init() {}

    /// Begins a metric, whose values follow.
    public mutating func begin(_ name: String, _ kind: Kind, _ help: String) {
        content += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }

    /// Adds a value of the metric that was begun last.
    public mutating func add(_ name: String, _ labels: [Label], _ value: some CustomStringConvertible) {
        content += name
        if !labels.isEmpty {
            content += "{" + labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",") + "}"
        }
        content += " \(value)\n"
    }

    /// Adds a metric with its only value.
    public mutating func add(
        _ name: String, _ kind: Kind, _ help: String, labels: [Label] = [], _ value: some CustomStringConvertible
    ) {
        begin(name, kind, help)
        add(name, labels, value)
    }

    private static func escaped(_ text: String) -> String {
        var escaped = ""
        for character in text {
            switch character {
            case "\\": escaped += "\\\\"
            case "\"": escaped += "\\\""
            case "\n": escaped += "\\n"
            default: escaped.append(character)
            }
        }
        return escaped
    }
}
