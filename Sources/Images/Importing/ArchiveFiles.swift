#if Images
internal import LayerArchive
internal import SystemPackage

/// The files of an archive or a layout of images, which are read by their names.
protocol ArchiveFiles {
    /// Finds a file.
    ///
    /// - Returns: The content; `nil` if there is no file of this name.
    /// - Throws: ``ImageError`` where something else than a file has the name.
    func content(_ name: String) throws -> FileRange?
}

extension ArchiveFiles {
    /// The largest document that is read, in bytes: 16 MiB.
    private var largest: Int64 { 16 << 20 }

    /// Reads a small file, which must be there.
    func read(_ name: String) throws -> [UInt8] {
        guard let content = try readIfThere(name) else { throw missing(name) }
        return content
    }

    /// Reads a small file.
    func readIfThere(_ name: String) throws -> [UInt8]? {
        guard let input = try content(name) else { return nil }
        let limited = DigestingInput(input, limit: largest)
        var content: [UInt8] = []
        do {
            var before = -1
            while content.count > before {
                before = content.count
                try content.append(addingCapacity: 1 << 16) { (free) throws(Errno) in try limited.read(into: &free) }
            }
        } catch {
            throw ImageError(
                .damaged,
                limited.isTooLarge ? "\(name) has more than \(largest) bytes" : "cannot read \(name): \(error)")
        }
        return content
    }

    /// Finds a file that must be there.
    func existing(_ name: String) throws -> FileRange {
        guard let content = try content(name) else { throw missing(name) }
        return content
    }

    private func missing(_ name: String) -> ImageError {
        ImageError(.incomplete, "the archive has no \(LayerFile.printable(Array(name.utf8))), which it says it has")
    }
}
#endif
