import LayerStore
import Testing

/// The tables of the pages have what the program has.
@Suite struct PageTests {
    private static let readme = Page(Tree.read("README.md"))
    private static let reference = Page(Tree.read("docs/commands.md"))
    private static let everyCommand = "Options of every command"

    @Test func theReadmeHasEveryCommand() throws {
        let commands = try CommandHelp.commands().keys
        let written = Self.readme.rows.filter { $0.heading == "## Commands" }.flatMap(\.keys)
        for command in commands where !written.contains(where: { $0 == command || $0.hasPrefix(command + " ") }) {
            Issue.record("README.md has no row for the command “\(command)”")
        }
        for row in written where !commands.contains(where: { row == $0 || row.hasPrefix($0 + " ") }) {
            Issue.record("README.md has a row for “\(row)”, and the program has no such command")
        }
    }

    @Test func theReferenceHasEveryOption() throws {
        let commands = try CommandHelp.commands()
        var written: [String: Set<String>] = [:]
        for row in Self.reference.rows {
            let heading = String(row.heading.drop { "#` ".contains($0) }).split(separator: "`").joined()
            let command = heading.hasPrefix("dmlayer ") ? String(heading.dropFirst("dmlayer ".count)) : heading
            written[command, default: []].formUnion(
                row.keys.compactMap { key in
                    key.hasPrefix("--") ? key.split(separator: " ").first.map(String.init) : nil
                })
        }
        let common = written[Self.everyCommand] ?? []
        #expect(!common.isEmpty)
        for (command, options) in commands {
            for option in options.subtracting(written[command] ?? []).subtracting(common) {
                Issue.record("docs/commands.md has no row for \(option) of “\(command)”")
            }
            for option in (written[command] ?? []).subtracting(options) {
                Issue.record("docs/commands.md has a row for \(option), which “\(command)” does not have")
            }
        }
        for command in written.keys where command != Self.everyCommand && !command.isEmpty {
            #expect(commands[command] != nil, "docs/commands.md has a part for “\(command)”")
        }
    }

    @Test func theReadmeHasTheTableOfStorageOptions() {
        let written = Self.readme.rows.filter {
            $0.heading == "## Storage options" && $0.keys.first?.hasPrefix("dm.") == true
        }
        let expected = StorageOption.all.map { "\($0.key): \($0.standard ?? "-"): \($0.meaning): \($0.change)" }
        let found = written.map { row in
            ([row.keys[0]] + row.cells.dropFirst()).joined(separator: ": ")
        }
        #expect(found == expected)
    }

    /// ARCHITECTURE.md lists the locks in the order of the cases of ``StoreLock/Scope``.
    @Test func theArchitectureHasTheOrderOfLocks() {
        let source = SwiftFile(Tree.read("Sources/LayerStore/Session/StoreLock.swift"))
        let start = source.code.firstIndex { $0.contains("enum Scope") } ?? 0
        let cases = source.code[start...].prefix { !$0.contains("var offset") }.compactMap { line -> String? in
            let words = line.split { !$0.isLetter }
            return words.first == "case" ? words.dropFirst().first.map(String.init) : nil
        }
        let written = Page(Tree.read("ARCHITECTURE.md")).rows
            .filter { $0.heading.hasSuffix("Lock order") }.compactMap(\.keys.first)
        #expect(!cases.isEmpty)
        #expect(written == cases)
    }

    @Test func linksLeadToPages() {
        for page in Tree.pages {
            for part in page.text.split(separator: "](").dropFirst() {
                guard let target = part.split(separator: ")").first, !target.contains("://") else { continue }
                let parts = target.split(separator: "#", omittingEmptySubsequences: false)
                let path = parts[0].isEmpty ? page.path : (page.folder.isEmpty ? "" : page.folder + "/") + parts[0]
                guard Tree.contains(path) else {
                    Issue.record("\(page.path): the link to \(target) leads nowhere")
                    continue
                }
                guard parts.count > 1 else { continue }
                let anchors = Tree.read(path).lines.filter { $0.hasPrefix("#") }.map { anchor(of: $0) }
                #expect(anchors.contains(String(parts[1])), "\(page.path): the link to \(target) leads to no heading")
            }
        }
    }

    /// The name that GitHub gives to a heading.
    private func anchor(of heading: Substring) -> String {
        String(
            heading.drop { $0 == "#" || $0 == " " }.lowercased()
                .compactMap { $0 == " " ? "-" : $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" ? $0 : nil })
    }
}
