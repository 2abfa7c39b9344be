import CShims
import FoundationEssentials
import SystemPackage

/// All that was recorded about a file on a layer's device.
struct ManifestFile: Hashable {
    var path: [UInt8]
    var mode: UInt32
    var owner: [Int]
    var modificationTime: Int
    /// Of a directory, this depends on the file system.
    var linkCount: Int?
    var size: Int?
    var digest: String?
    var link: String?
    var device: [Int]?
    /// The names and values, in hexadecimal digits.
    var attributes: [String: String]?

    private init(path: [UInt8], mode: UInt32, owner: [Int], modificationTime: Int) {
        self.path = path
        self.mode = mode
        self.owner = owner
        self.modificationTime = modificationTime
    }

    private var isDirectory: Bool { mode & 0o170000 == 0o040000 }
    private var isFile: Bool { mode & 0o170000 == 0o100000 }
    private var isDevice: Bool { [0o020000, 0o060000].contains(mode & 0o170000) }

    // MARK: Recorded files

    /// A line of a manifest.
    private struct Line: Decodable {
        struct Path: Decodable {
            let bytes: [UInt8]

            init(from decoder: any Decoder) throws {
                if let text = try? decoder.singleValueContainer().decode(String.self) {
                    bytes = Array(text.utf8)
                } else {
                    // A name that is no text.
                    let digits = Array(try [String: String](from: decoder)["hex", default: ""])
                    bytes = stride(from: 0, to: digits.count, by: 2)
                        .compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) }
                }
            }
        }

        let path: Path
        let mode: String
        let uid: Int
        let gid: Int
        let modificationTime: Int
        let nlink: Int
        let size: Int?
        let sha256: String?
        let link: String?
        let rdev: [Int]?
        let xattr: [String: String]?

        private enum CodingKeys: String, CodingKey {
            case path, mode, uid, gid, modificationTime = "mtime_ns", nlink, size, sha256, link, rdev, xattr
        }
    }

    /// Reads the lines of a manifest.
    static func files(_ manifest: [UInt8], below root: String) throws -> [ManifestFile] {
        try manifest.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let line = try JSONDecoder().decode(Line.self, from: Data(line))
            guard line.path.bytes.starts(with: root.utf8) else { return nil }
            var file = ManifestFile(
                path: Array(line.path.bytes.dropFirst(root.utf8.count)),
                mode: UInt32(line.mode.dropFirst(2), radix: 8) ?? 0, owner: [line.uid, line.gid],
                modificationTime: line.modificationTime)
            file.linkCount = file.isDirectory ? nil : line.nlink
            file.size = line.size
            file.digest = line.sha256
            file.link = line.link
            file.device = line.rdev
            file.attributes = line.xattr
            return file
        }
    }

    // MARK: Files of a tree

    /// Asks programs about all files in a tree.
    static func files(in tree: TemporaryDirectory) throws -> [ManifestFile] {
        func ask(_ script: String) throws -> [[UInt8]] {
            let output = try Program.output(["sh", "-euc", "cd \"$1\"; \(script)", "sh", tree.path.string])
            return output.split(separator: 0, omittingEmptySubsequences: false).map(Array.init)
        }
        func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
        var digests: [[UInt8]: String] = [:]
        for line in try ask("find . -type f -print0 | xargs -0 sha256sum -z") where !line.isEmpty {
            digests[Array(line.dropFirst(68))] = text(Array(line.prefix(64)))
        }
        var links: [[UInt8]: String] = [:]
        let linkFields = try ask("find . -type l -printf '%P\\0%l\\0'")
        for index in stride(from: 0, to: linkFields.count - 1, by: 2) {
            links[linkFields[index]] = text(linkFields[index + 1])
        }
        let format = "%n\\0%f\\0%u\\0%g\\0%.9Y\\0%h\\0%s\\0%t\\0%T\\0"
        let fields = try ask("find . -mindepth 1 -exec stat --printf '\(format)' {} +")
        return try stride(from: 0, to: fields.count - 8, by: 9).map { start in
            let path = Array(fields[start].dropFirst(2))
            let texts = fields[(start + 1)..<(start + 9)].map(text)
            let time = texts[3].filter { $0 != "." }
            var file = ManifestFile(
                path: path, mode: UInt32(texts[0], radix: 16) ?? 0, owner: [Int(texts[1]) ?? -1, Int(texts[2]) ?? -1],
                modificationTime: Int(time) ?? -1)
            file.linkCount = file.isDirectory ? nil : Int(texts[4])
            file.size = file.isFile ? Int(texts[5]) : nil
            file.digest = digests[path]
            file.link = links[path]
            if file.isDevice { file.device = [Int(texts[6], radix: 16) ?? -1, Int(texts[7], radix: 16) ?? -1] }
            file.attributes = try attributes(of: tree.path.string.utf8 + [UInt8(ascii: "/")] + path)
            return file
        }
    }

    private static func attributes(of path: [UInt8]) throws -> [String: String]? {
        let path = path.map(CChar.init(bitPattern:)) + [0]
        var names = [CChar](repeating: 0, count: 4096)
        let count = unsafe llistxattr(path, &names, names.count)
        guard count > 0 else { return nil }
        var attributes: [String: String] = [:]
        for name in names.prefix(count).split(separator: 0) {
            var value = [UInt8](repeating: 0, count: 4096)
            let size = unsafe lgetxattr(path, Array(name) + [0], &value, value.count)
            guard size >= 0 else { throw Program.Failure(description: "cannot read an attribute") }
            let digits = value.prefix(size).map { String(UInt16($0) + 0x100, radix: 16).dropFirst() }.joined()
            attributes[String(decoding: name.map(UInt8.init(bitPattern:)), as: UTF8.self)] = digits
        }
        return attributes
    }
}
