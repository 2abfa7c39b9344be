internal import ArgumentParser

/// How a command prints its result.
struct OutputOptions: ParsableArguments {
    @Flag(name: .customLong("json"), help: "Print the result as JSON, and messages on standard error as well.")
    var isJSON = false

    func validate() {
        // From here on, and not when the command begins: what is wrong with the command's other arguments is said in text.
        if isJSON { Output.useJSONMessages() }
    }

    /// Where the result goes.
    var output: Output { Output(isJSON: isJSON) }
}
