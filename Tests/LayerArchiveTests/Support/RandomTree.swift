import Glibc
import TestSupport

/// Scripts of the shell that make and change trees at random.
struct RandomTree {
    private var generator: SeededRandom
    private let isRoot = geteuid() == 0

    init(seed: UInt64) {
        generator = SeededRandom(seed: seed)
    }

    /// Steps that make a tree, all of the same time.
    mutating func creation() -> String {
        let steps = (0..<60).map { _ in step() }
        return steps.joined(separator: "\n") + "\nfind . -exec touch -h -d @1600000000 {} +"
    }

    /// Steps that change a tree; whatever gets the time of today gets another one.
    mutating func change() -> String {
        let steps = (0..<25).map { _ in step() }
        return steps.joined(separator: "\n") + "\nfind . -newermt 2023-01-01 -exec touch -h -d @1650000000 {} +"
    }

    /// A path with few possible names, so that they meet.
    private mutating func path() -> String {
        let names = ["a", "b", "a-b", "a b", "ü", "-x", ".h", "a.c", String(repeating: "n", count: 120)]
        let depth = Int.random(in: 1...3, using: &generator)
        return "./" + (0..<depth).map { _ in names.randomElement(using: &generator) ?? "a" }.joined(separator: "/")
    }

    /// Removes what is at a path, and makes the directory that it is in; where there is nothing to do, no program is run.
    private static func room(for path: String) -> String {
        let parent = path.split(separator: "/").dropLast().joined(separator: "/")
        return """
            if test -e "\(path)" || test -L "\(path)"; then rm -rf "\(path)"; fi; \
            test -d "\(parent)" || mkdir -p "\(parent)" 2>/dev/null
            """
    }

    private mutating func step() -> String {
        let (path, other) = (path(), path())
        let number = Int.random(in: 0..<100_000, using: &generator)
        // Makes room for something new.
        let fresh = Self.room(for: path)
        let body =
            switch Int.random(in: 0..<(isRoot ? 13 : 11), using: &generator) {
            case 0, 1: "mkdir -p \"\(path)\""
            case 2, 3: "\(fresh) && seq \(number % 1000) >\"\(path)\""
            case 4: "test ! -f \"\(path)\" || echo \(number) >>\"\(path)\""
            case 5: "\(fresh) && ln -s \"\(other)\(number)\" \"\(path)\""
            case 6: "rm -rf \"\(path)\""
            case 7: "test -L \"\(path)\" || chmod \(["755", "700", "1777", "4711", "750"][number % 5]) \"\(path)\""
            case 8:
                "rm -rf \"\(other)\"; mv \"\(path)\" \"\(other)\" && find \"\(other)\" -exec touch -h -d @1640000000 {} +"
            case 9:
                """
                \(fresh) && echo \(number) >"\(path)" && { \(Self.room(for: other)); } && ln "\(path)" "\(other)"
                """
            case 10: "\(fresh) && truncate -s \(number * 10) \"\(path)\" && mkfifo \"\(path)-p\""
            case 11: "chown -h \(number):\(number / 2) \"\(path)\""
            default: "\(fresh) && mknod \"\(path)\" \(number.isMultiple(of: 2) ? "c" : "b") \(number % 4096) \(number)"
            }
        return "{ \(body); } 2>/dev/null || :"
    }
}
