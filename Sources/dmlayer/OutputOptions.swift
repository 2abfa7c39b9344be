internal import ArgumentParser

/// How a command prints its result.
struct OutputOptions: ParsableArguments {
    @Flag(name: .customLong("json"), help: "Print the result as JSON.")
    var isJSON = false

    /// Where the result goes.
    var output: Output { Output(isJSON: isJSON) }
}
