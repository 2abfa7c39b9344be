#if Images
internal import LayerArchive
internal import SystemPackage

/// The files of a tar archive, found once and then read where they are.
final class ArchiveIndex: ArchiveFiles {
    private enum Place {
        case content(offset: Int64, size: Int64)
        case link(to: String)
        case other(String)
    }

    /// Archives of many images have some thousands.
    private static let mostFiles = 100_000
    /// The longest names in an archive of images have about a hundred bytes.
    private static let longestName = 1024
    /// How many links may lead to a file.
    private static let mostLinks = 8

    private let file: FileDescriptor
    private var places: [String: Place] = [:]

    /// Reads the headers of an archive, and closes its file when it goes.
    ///
    /// - Throws: `LayerArchiveError` if the file is no tar archive, or is damaged.
    init(_ file: FileDescriptor, size: Int64, cancellation: Cancellation) throws {
        self.file = file
        let reader = TarReader(FileRange(file, offset: 0, size: size), cancellation: cancellation)
        while let entry = try reader.next() {
            guard entry.path.count <= Self.longestName, entry.linkTarget.count <= Self.longestName else { continue }
            places[Self.normal(String(decoding: entry.path, as: UTF8.self))] = Self.place(entry, reader.position)
            guard places.count <= Self.mostFiles else {
                throw ImageError(
                    .damaged, "the archive has more than \(Self.mostFiles) files, which no archive of images has")
            }
        }
    }

    deinit {
        // It was only read.
        try? file.close()
    }

    func content(_ name: String) throws -> FileRange? {
        guard !name.utf8.contains(0) else { return nil }
        var name = Self.normal(name)
        for _ in 0...Self.mostLinks {
            switch places[name] {
            case nil: return nil
            case .content(let offset, let size): return FileRange(file, offset: offset, size: size)
            case .link(let target): name = target
            case .other(let kind): throw ImageError(.damaged, "\(name) in the archive is \(kind), and no file")
            }
        }
        throw ImageError(.damaged, "\(name) in the archive is a link, which leads to too many others")
    }

    private static func place(_ entry: TarEntry, _ position: Int64) -> Place {
        let target = String(decoding: entry.linkTarget, as: UTF8.self)
        switch entry.kind {
        case .file where entry.dataRanges == nil: return .content(offset: position, size: entry.size)
        case .file: return .other("a file with holes")
        case .hardLink: return .link(to: normal(target))
        case .symbolicLink:
            let path = FilePath(String(decoding: entry.path, as: UTF8.self))
            return .link(to: normal(path.removingLastComponent().pushing(FilePath(target)).string))
        case .directory: return .other("a directory")
        case .characterDevice, .blockDevice, .fifo: return .other("a device or pipe")
        }
    }

    /// A name without dots and slashes at its beginning, and never above the top of the archive.
    private static func normal(_ name: String) -> String {
        FilePath("/" + name).lexicallyNormalized().removingRoot().string
    }
}
#endif
