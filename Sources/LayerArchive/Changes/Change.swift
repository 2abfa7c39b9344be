public import SystemPackage

/// A difference between a layer and its parent.
public struct Change: Hashable, Sendable {
    /// The kinds of differences.
    public enum Kind: Int, Hashable, Sendable {
        /// The path is in both trees and differs, or is a directory with a change somewhere within.
        case modified = 0
        /// The path is only in the layer.
        case added = 1
        /// The path is only in the parent; so are all files in it, which are not listed.
        case deleted = 2
    }

    /// The kind of the difference.
    public let kind: Kind
    /// The path, absolute within the layer: `/etc/passwd`.
    public var path: FilePath {
        unsafe FileName.withCString([0x2f] + relativePath + [0]) { unsafe FilePath(platformString: $0) }
    }

    /// The bytes of the path without the slash it begins with.
    let relativePath: [UInt8]
    /// The length of the last part of the path.
    let nameLength: Int
    /// The type of the file at the path in the layer; meaningless for a deletion.
    let type: FileType
    /// A number that changes in the same directory have in common, within their set.
    let directory: Int

    /// The last part of the path.
    var name: ArraySlice<UInt8> { relativePath.suffix(nameLength) }
    /// The path of the directory that it is in, empty for the root.
    var parentPath: ArraySlice<UInt8> { relativePath.dropLast(nameLength + 1) }
}

extension Change {
    /// Makes a value like one of the library's, for the test of a program that uses it.
    ///
    /// - Parameters:
    ///   - kind: The kind of the difference.
    ///   - path: The path, absolute within the layer, as text.
    public init(_ kind: Kind, path: FilePath) {
        let text = path.string.utf8.drop { $0 == UInt8(ascii: "/") }
        self.init(
            kind: kind, relativePath: Array(text), nameLength: path.lastComponent?.string.utf8.count ?? 0,
            type: FileType(rawValue: 0), directory: 0)
    }
}

extension Change: CustomStringConvertible {
    /// The bytes of the change as `docker diff` prints it: `A /etc/motd`; a path need not be text.
    public var line: [UInt8] {
        let letter =
            switch kind {
            case .modified: UInt8(ascii: "C")
            case .added: UInt8(ascii: "A")
            case .deleted: UInt8(ascii: "D")
            }
        return [letter, UInt8(ascii: " "), UInt8(ascii: "/")] + relativePath
    }

    /// The change as `docker diff` prints it, with what is no text replaced.
    public var description: String { String(decoding: line, as: UTF8.self) }
}
