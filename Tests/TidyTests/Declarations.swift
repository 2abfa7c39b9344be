/// The declarations in the Swift files.
enum Declarations {
    /// The files that declare or extend a type, by its name.
    static let types: [String: Set<String>] = all.types
    /// The functions, variables and cases that a file declares.
    static let members: [String: Set<String>] = all.members
    /// The folders in which the package's modules are.
    static let modules = Set(
        Tree.paths.compactMap { path -> String? in
            let parts = path.split(separator: "/")
            return parts.count > 1 && ["Sources", "Tests"].contains(parts[0]) ? String(parts[1]) : nil
        })

    private static let all: (types: [String: Set<String>], members: [String: Set<String>]) = {
        var types: [String: Set<String>] = [:]
        var members: [String: Set<String>] = [:]
        for source in Tree.swiftFiles {
            for line in source.code {
                let words = line.words()
                for (word, next) in zip(words, words.dropFirst()) {
                    switch word {
                    case "struct", "class", "enum", "actor", "protocol", "typealias", "extension":
                        types[String(next), default: []].insert(source.file.path)
                        members[source.file.path, default: []].insert(String(next))
                    case "func", "var", "let": members[source.file.path, default: []].insert(String(next))
                    case "case": members[source.file.path, default: []].formUnion(words.dropFirst().map(String.init))
                    default: break
                    }
                }
            }
        }
        return (types, members)
    }()
}
