/// The reason why a run of the stress cannot go on.
struct StressError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
