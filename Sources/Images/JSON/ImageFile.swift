#if Images
internal import LayerStore
internal import SystemCalls
internal import SystemPackage

/// The small files that Docker keeps images in; whatever is in them, reading one takes a bounded amount of memory.
enum ImageFile {
    /// The largest that is read, in bytes: 16 MiB; a large configuration has some kilobytes.
    private static let largest = 16 << 20

    /// Reads a file.
    ///
    /// - Throws: ``ImageError`` with the path.
    static func read(_ path: FilePath) throws -> [UInt8] {
        guard let content = try readIfThere(path) else {
            throw ImageError(.incomplete, "\(path) is missing")
        }
        return content
    }

    /// Reads a file that need not be there.
    static func readIfThere(_ path: FilePath) throws -> [UInt8]? {
        let file: FileDescriptor
        do {
            // A pipe in the place of a file must not stop the reader.
            file = try .open(path, .readOnly, options: [.closeOnExec, .nonBlocking])
        } catch Errno.noSuchFileOrDirectory, Errno.notDirectory {
            return nil
        } catch {
            throw ImageError(.damaged, "cannot open \(path): \(error)")
        }
        return try file.closeAfter {
            do {
                guard try Stat(file).type == .regular else { throw ImageError(.damaged, "\(path) is no file") }
                var content: [UInt8] = []
                var piece = [UInt8](repeating: 0, count: 1 << 16)
                while case let count = try unsafe piece.withUnsafeMutableBytes({ unsafe try file.read(into: $0) }),
                    count > 0
                {
                    content += piece[..<count]
                    guard content.count <= largest else {
                        throw ImageError(.damaged, "\(path) has more than \(largest) bytes, which no such file has")
                    }
                }
                return content
            } catch let error as Errno {
                throw ImageError(.damaged, "cannot read \(path): \(error)")
            }
        }
    }

    /// Reads a file of JSON.
    static func decode<Value: Decodable>(_ type: Value.Type, _ path: FilePath) throws -> Value {
        try decode(type, read(path), called: "\(path)")
    }

    /// Understands the JSON that a file has.
    static func decode<Value: Decodable>(
        _ type: Value.Type, _ content: [UInt8], called name: String
    ) throws -> Value {
        do {
            return try StoreJSON.decode(type, content)
        } catch {
            throw ImageError(.damaged, "\(name) cannot be understood: \(StoreJSON.explain(error, content))")
        }
    }

    /// Reads a file with one line of text.
    static func line(_ path: FilePath) throws -> String {
        try text(read(path))
    }

    static func text(_ content: [UInt8]) -> String {
        String(decoding: content.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
}
#endif
