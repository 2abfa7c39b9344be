/// A change of a snapshot's labels, as the paths of an update's mask say it.
struct LabelUpdate {
    private let labels: [String: String]
    /// The labels that are changed; `nil` is all.
    private let names: [Substring]?

    /// - Throws: ``SnapshotterError/Code/invalidArgument`` for a path that names anything else than labels.
    init(labels: [String: String], paths: [String]) throws(SnapshotterError) {
        self.labels = labels
        var names: [Substring] = []
        for path in paths where path != "labels" {
            // The rest of the path is taken as it is: a label's name has dots and slashes of its own.
            guard path.hasPrefix("labels.") else {
                throw SnapshotterError(
                    .invalidArgument, "the field “\(path)” of a snapshot cannot be changed; only its labels can")
            }
            names.append(path.dropFirst("labels.".count))
        }
        self.names = paths.isEmpty || paths.contains("labels") ? nil : names
    }

    func applied(to present: [String: String]) -> [String: String] {
        guard let names else { return labels.filter { !$0.value.isEmpty } }
        var changed = present
        for name in names.map(String.init) {
            let value = labels[name]
            changed[name] = value?.isEmpty == false ? value : nil
        }
        return changed
    }
}
