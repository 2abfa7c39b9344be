import LayerStore
import Testing

/// The files and names that the pages have between backticks exist in the tree.
@Suite struct NameTests {
    private static let folders = [
        "Sources/", "Tests/", "CShims/", "scripts/", "docs/", "packaging/", "Benchmarks/", "Fuzzers/",
    ]

    @Test(arguments: Tree.pages.map(\.path))
    func whatAPageNamesExists(path: String) throws {
        for span in Set(Page(Tree.read(path)).spans) {
            guard let reason = try Self.fault(of: span) else { continue }
            Issue.record("\(path): “\(span)” \(reason)")
        }
    }

    /// Names that look like ours, and are not.
    @Test func knowsWhatDoesNotExist() throws {
        #expect(try Self.fault(of: "Sources/Nowhere") != nil)
        #expect(try Self.fault(of: "Nowhere.swift") != nil)
        #expect(try Self.fault(of: "NowhereTests") != nil)
        #expect(try Self.fault(of: "StoreLock.nowhere") != nil)
        #expect(try Self.fault(of: "StoreLockTests.nowhere") != nil)
        #expect(try Self.fault(of: "dmlayer nowhere") != nil)
        #expect(try Self.fault(of: "pool nowhere") != nil)
        #expect(try Self.fault(of: "--nowhere") != nil)
        #expect(try Self.fault(of: "dm.nowhere") != nil)
    }

    /// Why a name is wrong; `nil` when it is right, or is nobody's in this tree.
    private static func fault(of span: String) throws -> String? {
        let words = span.split(separator: " ")
        guard let first = words.first.map(String.init) else { return nil }
        if folders.contains(where: { first.hasPrefix($0) }) { return faultOfPath(first) }
        if first.hasSuffix(".swift") {
            return Tree.names.contains(first) || first.contains("<") ? nil : "is no file of the tree"
        }
        if first.hasPrefix("--") { return try faultOfOption(first) }
        if first.hasPrefix("dm."), words.count == 1 {
            let key = first.split(separator: "=").first.map(String.init)
            return StorageOption.all.contains { $0.key == key } ? nil : "is no storage option"
        }
        if first == "dmlayer" { return try faultOfCommand(Array(words.dropFirst())) }
        if ["pool", "metadata", "dm"].contains(first), words.count > 1 { return try faultOfCommand(words) }
        return words.count == 1 ? faultOfDeclaration(first) : nil
    }

    /// The names of the alerts for Prometheus.
    private static let alerts = Set(
        Tree.read("packaging/prometheus/alerts.yaml").lines.compactMap { line in
            line.contains("- alert: ") ? line.split(separator: " ").last.map(String.init) : nil
        })

    private static func faultOfPath(_ text: String) -> String? {
        if text.contains("<") || text.contains("*") || text.contains("{") { return nil }
        return Tree.contains(text) ? nil : "is no path of the tree"
    }

    /// The options of dmsetup, which dmlayer has by that name.
    private static let dmsetupOptions = Set(
        Tree.read("Sources/dmlayer/ByName/DMSetup/DMSetupOptions.swift").text
            .split { !$0.isLetter && !$0.isNumber }.map(String.init))

    private static func faultOfOption(_ text: String) throws -> String? {
        let option = String(text.prefix { $0.isLetter || $0.isNumber || $0 == "-" })
        let commands = try options.get()
        if commands.contains(option) || ["--help", "--version", "--"].contains(option) { return nil }
        if Exceptions.foreignOptions.contains(option) { return nil }
        if dmsetupOptions.contains(String(option.dropFirst(2))) { return nil }
        return scripts.contains { $0.contains(option) } ? nil : "is an option of no command and no script"
    }

    private static let options = Result {
        try CommandHelp.commands().values.reduce(into: Set<String>()) { $0.formUnion($1) }
    }
    private static let commands = Result { try CommandHelp.commands().keys }

    /// The text of the scripts and the programs that they start, where their options are written.
    private static let scripts = Tree.paths
        .filter { path in
            path.hasPrefix("scripts/") || path == "Package.swift" || path.hasPrefix("Fuzzers/")
                || ((path.hasPrefix("Tests/") || path.hasPrefix("Benchmarks/")) && !path.hasPrefix("Tests/TidyTests"))
        }.map { Tree.read($0).text }

    private static func faultOfCommand(_ words: [Substring]) throws -> String? {
        // The words before the command are options, with or without a value.
        let known = try Array(commands.get()) + ["help"]
        guard let place = words.firstIndex(where: { word in known.contains { $0.split(separator: " ").first == word } })
        else { return words.first?.first?.isLowercase == true ? "is no command of dmlayer" : nil }
        let rest = words[place...]
        let group = ["pool", "metadata", "dm"].contains(rest.first)
        guard group, rest.count > 1, rest.dropFirst().first?.first?.isLowercase == true else { return nil }
        let name = rest.prefix(2).joined(separator: " ")
        return try commands.get().contains(name) ? nil : "is no command of dmlayer"
    }

    private static func faultOfDeclaration(_ text: String) -> String? {
        let parts = text.prefix { $0 != "(" }.split(separator: ".").map(String.init)
        guard let type = parts.first, type.first?.isUppercase == true, parts.count <= 2 else { return nil }
        guard parts.allSatisfy({ $0.allSatisfy { $0.isLetter || $0.isNumber } }), type.contains(where: \.isLowercase)
        else {
            return nil
        }
        if Exceptions.foreignNames.contains(text) || Tree.names.contains(text) || alerts.contains(text) { return nil }
        guard let files = Declarations.types[type] else {
            return Declarations.modules.contains(type) ? nil : "is declared nowhere"
        }
        guard parts.count == 2 else { return nil }
        return files.contains { Declarations.members[$0]?.contains(parts[1]) == true } ? nil : "is declared nowhere"
    }
}
