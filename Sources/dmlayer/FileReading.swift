internal import SystemPackage

extension String {
    /// Reads a file.
    ///
    /// - Throws: ``Failure`` with the file's path; bytes that are no UTF-8 are replaced.
    init(readingFile path: FilePath) throws {
        let descriptor: FileDescriptor
        do {
            descriptor = try .open(path, .readOnly, options: .closeOnExec)
        } catch {
            throw Failure("cannot open \(path): \(error)")
        }
        self = try descriptor.closeAfter { try String(readingAllFrom: descriptor, called: "\(path)") }
    }

    /// Reads until the end of a file or of a pipe.
    init(readingAllFrom descriptor: FileDescriptor, called name: String) throws {
        var bytes: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 1 << 16)
        do {
            while case let count = try unsafe part.withUnsafeMutableBytes({ unsafe try descriptor.read(into: $0) }),
                count > 0
            {
                bytes += part[..<count]
            }
        } catch {
            throw Failure("cannot read \(name): \(error)")
        }
        self.init(decoding: bytes, as: UTF8.self)
    }
}
