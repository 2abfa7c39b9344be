internal import CShims
internal import SystemCalls
internal import SystemPackage

/// The tree that an export reads from: the directory that the last change was in stays open for the next.
struct ExportSource {
    private let root: FileDescriptor
    private var parent: OpenDirectory?
    /// Which directory is open, as ``Change/directory`` has it.
    private var parentNumber = ChangeTree.root

    init(_ root: FileDescriptor) {
        self.root = root
    }

    private var directory: FileDescriptor { parent?.descriptor ?? root }

    /// Opens the directory that a change is in.
    ///
    /// - Returns: The last part of the change's path.
    mutating func enterParent(of change: Change) throws(LayerArchiveError) -> FileName {
        if change.directory != parentNumber {
            parent = nil
            parentNumber = change.directory
            if !change.parentPath.isEmpty {
                do {
                    parent = try OpenDirectory(descending: change.parentPath, from: root)
                } catch {
                    throw Self.failure("cannot open the directory of", error)
                }
            }
        }
        return FileName(change.name)
    }

    /// When the open directory was changed.
    func parentTime() throws(LayerArchiveError) -> Timestamp {
        do {
            return try FileStatus(of: parent?.descriptor ?? root).modificationTime
        } catch {
            throw Self.failure("cannot get the status of the directory of", error)
        }
    }

    /// Opens the entry `name` of the open directory if it is a regular file, and gets its status.
    func open(_ name: FileName, _ type: FileType) throws(LayerArchiveError) -> ExportFile {
        do {
            return try ExportFile(name, type, in: directory, keeping: parent)
        } catch {
            throw Self.failure("cannot open", error)
        }
    }

    /// Gets the status of what a change is about.
    mutating func status(of change: Change) throws(LayerArchiveError) -> FileStatus {
        let name = try enterParent(of: change)
        do {
            return try FileStatus(of: name, in: directory)
        } catch {
            throw Self.failure("cannot get the status of", error)
        }
    }

    static func failure(_ attempt: String, _ error: Errno) -> LayerArchiveError {
        switch error {
        // It was there when the trees were compared, and of another kind.
        case .noSuchFileOrDirectory, .notDirectory, .tooManySymbolicLinkLevels:
            LayerArchiveError(.changedMeanwhile, attempt, errno: error)
        default: LayerArchiveError(.file, attempt, errno: error)
        }
    }
}
