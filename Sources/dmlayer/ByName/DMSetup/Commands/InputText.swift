internal import SystemPackage

/// The text of a file or of standard input.
enum InputText {
    static func read(_ file: String?) throws(DMSetupFailed) -> String {
        do {
            guard let file else { return try String(readingAllFrom: .standardInput, called: "standard input") }
            return try String(readingFile: FilePath(file))
        } catch {
            throw DMSetupSession.failure("Couldn't open '\(file ?? "stdin")' for reading.")
        }
    }
}
