/// The findings of one check, as they are made.
struct Findings {
    private(set) var all: [StoreFinding] = []

    mutating func add(
        _ kind: StoreFinding.Kind, _ severity: StoreFinding.Severity, _ subject: String, _ message: String,
        _ advice: String? = nil, isRepairable: Bool = false
    ) {
        all.append(
            StoreFinding(
                kind: kind, severity: severity, subject: subject, message: message, advice: advice,
                isRepairable: isRepairable))
    }

    /// Whether something was found of one of these kinds.
    func contains(_ kinds: StoreFinding.Kind...) -> Bool { all.contains { kinds.contains($0.kind) } }

    /// Keeps the findings that another check made as well.
    mutating func keep(alsoIn other: Findings) {
        all.removeAll { finding in !other.all.contains { $0.isSame(as: finding) } }
    }
}
