import Testing

@Suite struct SizeTests {
    @Test func noFileIsLongerThan400Lines() {
        let long = Tree.swiftFiles.filter { $0.file.lines.count > 401 }.map(\.file.path)
        expect(Set(long), onlyIn: Exceptions.longFiles, "a file has at most 400 lines; divide it by what it is about")
    }

    @Test func noFunctionIsLongerThan45Lines() {
        let long = Tree.swiftFiles.flatMap { source in
            source.bodies.filter { $0.length > 45 }.map { "\(source.file.path) \($0.name)" }
        }
        expect(Set(long), onlyIn: Exceptions.longFunctions, "the body of a function has at most 45 lines")
    }

    /// The measure itself: a body, a declaration without one, and braces in text.
    @Test func countsTheLinesBetweenTheBraces() {
        let text =
            "protocol P {\n    func a()\n    func b() -> Int\n}\nfunc c(\n    _ d: () -> Void = {}\n) {\n"
            + "    // }\n    print(\"} \\(\"}\")\")\n    if e { f() }\n}\nvar g: Int { 1 }\n"
        let bodies = SwiftFile(Tree.File(path: "a.swift", text: text)).bodies
        #expect(bodies.map(\.name) == ["c", "g"])
        #expect(bodies.map(\.length) == [3, 0])
    }

    @Test func noFolderHoldsMoreThan15Files() {
        var sizes: [String: Int] = [:]
        for path in Tree.paths where path.hasPrefix("Sources/") || path.hasPrefix("Tests/") || path.hasPrefix("CShims/")
        {
            guard path.split(separator: "/").last?.contains(".") == true else { continue }
            sizes[path.split(separator: "/").dropLast().joined(separator: "/"), default: 0] += 1
        }
        let large = sizes.filter { $0.value > 15 }.keys
        expect(Set(large), onlyIn: Exceptions.largeFolders, "a folder has at most 15 files; sort them into folders")
    }

    @Test func noTwoFilesHaveOneName() {
        let names = Dictionary(grouping: Tree.swiftFiles.map(\.file), by: \.name)
        let twice = names.filter { $0.value.count > 1 }.keys
        expect(Set(twice), onlyIn: Exceptions.namesOfSeveralFiles, "a file's name is unique in the tree")
    }

    /// `scripts/test` chooses suites of KernelTests by the names of their files, and would leave another suite out.
    @Test func aFileOfKernelTestsHasOneSuiteOfItsName() {
        var wrong: Set<String> = []
        for source in Tree.swiftFiles where source.file.path.hasPrefix("Tests/KernelTests/") {
            let hasTests = source.code.contains { $0.contains("@Test") }
            let suites = source.code.compactMap { line -> String? in
                let words = line.split { $0 == " " || $0 == ":" }.map(String.init)
                guard !line.hasPrefix(" "), let place = words.firstIndex(where: { ["struct", "class"].contains($0) }),
                    place + 1 < words.count, words[place + 1].hasSuffix("Tests")
                else { return nil }
                return words[place + 1]
            }
            let name = String(source.file.name.dropLast(".swift".count))
            if suites != (hasTests ? [name] : []) { wrong.insert(source.file.path) }
        }
        expect(wrong, onlyIn: [], "a file of KernelTests with tests has one suite, which has the name of the file")
    }

    @Test func aNameTellsWhatIsInAFile() {
        let empty = ["Utils", "Utilities", "Helpers", "Helper", "Common", "Extensions", "Misc"]
        let found = Tree.paths.filter { path in
            guard let name = path.split(separator: "/").last?.split(separator: ".").first else { return false }
            return empty.contains(String(name)) || name.hasSuffix("+Extensions") || name.hasSuffix("+Helpers")
        }
        expect(Set(found), onlyIn: [], "the name says nothing about the content")
    }
}
