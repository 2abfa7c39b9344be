internal import SystemCalls
internal import SystemPackage

/// The document of a restore, which is read to its end before the output is changed, and then once more.
enum RestoreDocument {
    /// Opens a document so that it can be read twice.
    ///
    /// - Parameter copies: Whether a document that can be read only once, such as a pipe, is copied to a file without a name.
    /// - Returns: The document, and whether it can be read twice.
    static func open(_ path: FilePath, copies: Bool) throws -> (document: FileDescriptor, isRepeatable: Bool) {
        let document: FileDescriptor
        do {
            document = try .open(path, .readOnly, options: .closeOnExec)
        } catch {
            throw Failure("cannot open \(path): \(error)")
        }
        var isKept = false
        // The error that ends this function says more.
        defer { if !isKept { try? document.close() } }
        let type = try Stat(document).type
        guard type != .regular, type != .blockSpecial, copies else {
            isKept = true
            return (document, type == .regular || type == .blockSpecial)
        }
        return (try copy(of: document, path), true)
    }

    /// Copies a document to its end.
    private static func copy(of document: FileDescriptor, _ path: FilePath) throws -> FileDescriptor {
        let folder = FilePath(unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/var/tmp")
        do {
            let file = try unnamedFile(in: folder)
            do {
                var buffer = [UInt8](repeating: 0, count: 1 << 20)
                while true {
                    let count = try unsafe buffer.withUnsafeMutableBytes { try unsafe document.read(into: $0) }
                    if count == 0 { break }
                    try file.writeAll(buffer[..<count])
                }
                try file.seek(offset: 0, from: .start)
                return file
            } catch {
                // As above.
                try? file.close()
                throw error
            }
        } catch {
            let remedy = "name a file, or set TMPDIR to a folder with room"
            throw Failure("cannot copy \(path) to \(folder) before it is restored: \(error); \(remedy)")
        }
    }

    private static func unnamedFile(in folder: FilePath) throws -> FileDescriptor {
        let path = folder.appending(".dmlayer-" + String(UInt64.random(in: .min ... .max), radix: 16))
        let file = try FileDescriptor.open(
            path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec], permissions: .ownerReadWrite)
        do {
            try systemCall { unsafe unlink(path.string) }
            return file
        } catch {
            // As above.
            try? file.close()
            throw error
        }
    }
}
