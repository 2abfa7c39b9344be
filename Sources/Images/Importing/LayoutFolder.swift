#if Images
internal import LayerArchive
internal import SystemPackage

/// The folder of an OCI image layout; a file in it that is a symbolic link is refused, and no other link leads out of it.
final class LayoutFolder: ArchiveFiles {
    private let path: FilePath
    private let folder: FileDescriptor
    /// The files that are open; a content is read from them until this goes.
    private var files: [FileDescriptor] = []

    init(_ path: FilePath) throws {
        self.path = path
        do {
            folder = try .open(path, .readOnly, options: [.directory, .closeOnExec])
        } catch {
            throw ImageError(.notFound, "cannot open \(path): \(error)")
        }
    }

    deinit {
        // They were only read.
        for file in files + [folder] { try? file.close() }
    }

    func content(_ name: String) throws -> FileRange? {
        guard !name.utf8.contains(0) else { return nil }
        do {
            let (file, size) = try LayerFile.open(Array(name.utf8), in: folder)
            files.append(file)
            return FileRange(file, offset: 0, size: size)
        } catch .noSuchFileOrDirectory, .notDirectory {
            return nil
        } catch {
            let reason = error == .tooManySymbolicLinkLevels ? "it is a symbolic link" : "\(error)"
            throw ImageError(.damaged, "cannot open \(path.appending(name)): \(reason)")
        }
    }
}
#endif
