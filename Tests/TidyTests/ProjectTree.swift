import FoundationEssentials
import SystemPackage
import TestSupport

/// The files of the project that people write.
enum Tree {
    /// A text file of the project.
    struct File: Sendable {
        /// The path from the package's root.
        let path: String
        let text: String

        var name: String { String(path.split(separator: "/").last ?? "") }
        var folder: String { path.split(separator: "/").dropLast().joined(separator: "/") }
        var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
    }

    /// The folders in which files are looked for, without build products and caches.
    private static let folders = [
        "Sources", "CShims", "Tests", "Benchmarks", "Fuzzers", "docs", "packaging", "scripts", ".ci",
    ]

    /// Every path below ``folders`` and every file in the root, in order.
    static let paths: [String] = {
        let manager = FileManager.default
        let top = (try? manager.contentsOfDirectory(atPath: "\(ProjectFolder.path)")) ?? []
        let below = folders.flatMap { folder in
            ((try? manager.subpathsOfDirectory(atPath: "\(ProjectFolder.path)/\(folder)")) ?? []).map {
                "\(folder)/\($0)"
            }
        }
        return (top.filter { !$0.hasPrefix(".") } + folders + below).sorted()
    }()

    /// The names of all files and folders, without the folders above them.
    static let names = Set(paths.compactMap { $0.split(separator: "/").last.map(String.init) })

    /// Swift files, without generated ones.
    static let swiftFiles: [SwiftFile] = paths.filter { $0.hasSuffix(".swift") && !$0.contains("/Generated/") }
        .map { SwiftFile(read($0)) }

    /// Swift files of the product.
    static let sources = swiftFiles.filter { $0.file.path.hasPrefix("Sources/") }

    /// The pages that name things of the tree.
    static let pages: [File] = paths.filter { $0.hasSuffix(".md") && $0 != "CHANGELOG.md" }.map(read)

    static func read(_ path: String) -> File {
        File(path: path, text: (try? TextFile.read(ProjectFolder.path.appending(path))) ?? "")
    }

    static func contains(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(ProjectFolder.path)/\(path)")
    }
}
