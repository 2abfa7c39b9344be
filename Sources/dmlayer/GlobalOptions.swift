internal import ArgumentParser

/// The options of every command; they may stand before its name and behind it.
struct GlobalOptions: ParsableArguments {
    @Flag(name: .customLong("json"), help: "Print the result as JSON.")
    var isJSON = false

    /// Where the result goes.
    var output: Output { Output(isJSON: isJSON) }
}
