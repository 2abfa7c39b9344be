internal import Glibc
internal import SystemPackage

/// A layer being unpacked: what became of its entries so far.
struct Unpacking {
    /// An entry of a directory that came with the layer itself.
    private struct Location: Hashable {
        let directory: UInt64
        let name: FileName
    }

    /// A directory whose owner, permissions and times are set at last, since what happens in it changes its times, and
    /// may need other permissions.
    private struct PendingDirectory {
        let path: EntryPath
        let inode: UInt64
        let entry: TarEntry
        /// Whether it may have an access control list that is not in the archive.
        let inheritsAccessList: Bool
    }

    private static let root = FileName(".".utf8)

    private(set) var summary = LayerExtraction.Summary()
    private var tree: ExtractionRoot
    private var unpacked: Set<Location> = []
    private var pendingDirectories: [PendingDirectory] = []
    private var hasLinkDirectory = false

    init(into root: FileDescriptor) {
        tree = ExtractionRoot(root)
    }

    /// Does what an entry says.
    mutating func unpack(_ entry: TarEntry, from reader: TarReader) throws(LayerArchiveError) {
        let (size, overflows) = summary.size.addingReportingOverflow(entry.size)
        guard !overflows else { throw LayerArchiveError(.malformed, "the sizes of all entries together are too large") }
        summary.size = size
        summary.entries += 1
        let path = try EntryPath(entry.path)
        guard let name = path.name else {
            guard entry.kind == .directory else {
                throw LayerArchiveError(.malformed, "the root of a layer can only be a directory")
            }
            try deferDirectory(entry, Self.root, at: path, in: directory(path), isNew: false)
            return
        }
        if name.bytes.elementsEqual(Whiteout.opaque) {
            try clear(path)
        } else if path.first.starts(with: Whiteout.metadataPrefix) {
            // Of what aufs kept for itself, only the files with several names matter.
            guard path.first.elementsEqual(Whiteout.linkDirectory), path.depth == 2, entry.kind == .file else { return }
            try beginLinkDirectory()
            try make(entry, name, at: path, from: reader)
        } else if name.bytes.starts(with: Whiteout.metadataPrefix) {
            return
        } else if name.bytes.starts(with: Whiteout.prefix) {
            try remove(FileName(name.bytes.dropFirst(Whiteout.prefix.count)), at: path)
        } else {
            try make(entry, name, at: path, from: reader)
        }
    }

    /// Sets what was put off for the directories; those below come before those above.
    mutating func finishDirectories() throws(LayerArchiveError) {
        var finished: Set<UInt64> = []
        // Where an archive has a directory twice, the last entry counts.
        for pending in pendingDirectories.reversed() where !finished.contains(pending.inode) {
            let name = pending.path.name ?? Self.root
            do {
                let directory = try tree.directory(pending.path.parent)
                let file = UnpackedFile(name, in: directory)
                let status = try file.status()
                // Another entry may have replaced it.
                guard status.type == .directory, status.inode == pending.inode else { continue }
                finished.insert(pending.inode)
                summary.refusedAttributes += try file.restore(
                    pending.entry, inheritsAccessList: pending.inheritsAccessList)
            } catch .noSuchFileOrDirectory, .notDirectory {
                // Or removed it.
            } catch {
                throw LayerArchiveError(
                    .file, "cannot set owner, permissions, attributes or times of", name: pending.entry.path,
                    offset: pending.entry.offset, errno: error)
            }
        }
    }

    // MARK: Deletions

    private mutating func clear(_ path: EntryPath) throws(LayerArchiveError) {
        let directory = try directory(path)
        let unpacked = unpacked
        do {
            try tree.clear(directory) { inode, name in unpacked.contains(Location(directory: inode, name: name)) }
        } catch {
            throw LayerArchiveError(.file, "cannot delete what the layers below have in the directory of", errno: error)
        }
    }

    private mutating func remove(_ name: FileName, at path: EntryPath) throws(LayerArchiveError) {
        guard !name.bytes.isEmpty, !name.bytes.elementsEqual(".".utf8), !name.bytes.elementsEqual("..".utf8) else {
            throw LayerArchiveError(.malformed, "the deletion names no file")
        }
        do {
            try tree.remove(name, in: tree.directory(path.parent))
        } catch .noSuchFileOrDirectory {
            // Not even the directory is there.
        } catch {
            throw LayerArchiveError(.file, "cannot delete what is named by", errno: error)
        }
    }

    // MARK: aufs

    /// Makes the directory for files with several names, for as long as the layer is being unpacked.
    private mutating func beginLinkDirectory() throws(LayerArchiveError) {
        guard !hasLinkDirectory else { return }
        hasLinkDirectory = true
        try removeLinks()
    }

    /// Removes the directory for files with several names; the other names stay.
    mutating func removeLinkDirectory() throws(LayerArchiveError) {
        if hasLinkDirectory { try removeLinks() }
    }

    private mutating func removeLinks() throws(LayerArchiveError) {
        do {
            try tree.remove(FileName(Whiteout.linkDirectory), in: tree.directory([]))
        } catch {
            throw LayerArchiveError(.file, "cannot remove", name: Whiteout.linkDirectory, errno: error)
        }
    }

    // MARK: Files

    private mutating func directory(_ path: EntryPath) throws(LayerArchiveError) -> ExtractionRoot.Directory {
        do {
            return try tree.makeDirectory(path.parent)
        } catch {
            throw LayerArchiveError(.file, "cannot open the directory of", errno: error)
        }
    }

    /// Makes what an entry describes in place of what is there.
    private mutating func make(
        _ entry: TarEntry, _ name: FileName, at path: EntryPath, from reader: TarReader
    ) throws(LayerArchiveError) {
        let directory = try directory(path)
        let file = UnpackedFile(name, in: directory)
        switch entry.kind {
        case .directory:
            var isNew = true
            do {
                isNew = try file.status().type != .directory
            } catch {
                // Making it will tell why.
            }
            if isNew { try replacing(name, in: directory, file.makeDirectory) }
            try deferDirectory(entry, name, at: path, in: directory, isNew: isNew)
        case .file:
            let contents = try replacing(name, in: directory, file.makeContents)
            try contents.write(entry, from: reader)
        case .hardLink:
            try link(name, in: directory, to: EntryPath(entry.linkTarget))
        case .symbolicLink:
            try replacing(name, in: directory) { () throws(Errno) in try file.makeSymbolicLink(to: entry.linkTarget) }
        case .characterDevice, .blockDevice, .fifo:
            try replacing(name, in: directory) { () throws(Errno) in try file.makeNode(entry) }
        }
        unpacked.insert(Location(directory: directory.inode, name: name))
        // A hard link shares what its file has got.
        guard entry.kind != .directory, entry.kind != .hardLink else { return }
        do {
            summary.refusedAttributes += try file.restore(entry, inheritsAccessList: directory.givesAccessList)
        } catch {
            throw LayerArchiveError(.file, "cannot set owner, permissions, attributes or times of", errno: error)
        }
    }

    /// Makes a file, after removing what is in the way.
    private mutating func replacing<Answer>(
        _ name: FileName, in directory: ExtractionRoot.Directory, _ make: () throws(Errno) -> Answer
    ) throws(LayerArchiveError) -> Answer {
        do throws(Errno) {
            do {
                return try make()
            } catch .fileExists {
                try tree.remove(name, in: directory)
                return try make()
            } catch {
                throw error
            }
        } catch {
            throw LayerArchiveError(.file, "cannot make", errno: error)
        }
    }

    private mutating func deferDirectory(
        _ entry: TarEntry, _ name: FileName, at path: EntryPath, in directory: ExtractionRoot.Directory, isNew: Bool
    ) throws(LayerArchiveError) {
        do {
            let inode = try UnpackedFile(name, in: directory).status().inode
            let inherits = isNew && directory.givesAccessList
            pendingDirectories.append(
                PendingDirectory(path: path, inode: inode, entry: entry, inheritsAccessList: inherits))
        } catch {
            throw LayerArchiveError(.file, "cannot get the status of", errno: error)
        }
    }

    private mutating func link(
        _ name: FileName, in directory: ExtractionRoot.Directory, to target: EntryPath
    ) throws(LayerArchiveError) {
        guard let targetName = target.name else {
            throw LayerArchiveError(.malformed, "the root of a layer cannot have another name:")
        }
        do throws(Errno) {
            let file = UnpackedFile(name, in: directory)
            let targetFile = UnpackedFile(targetName, in: try tree.directory(target.parent))
            do {
                try file.makeHardLink(to: targetFile)
            } catch .fileExists {
                guard try file.status().inode != targetFile.status().inode else { return }
                try tree.remove(name, in: directory)
                try file.makeHardLink(to: targetFile)
            } catch {
                throw error
            }
        } catch {
            throw LayerArchiveError(.file, "cannot make the hard link", errno: error)
        }
    }
}
