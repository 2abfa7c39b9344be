/// The reason why a tool of the power cuts cannot go on.
struct PowerCutError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
