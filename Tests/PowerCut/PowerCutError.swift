/// What keeps a tool of the power cuts from its work.
struct PowerCutError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
