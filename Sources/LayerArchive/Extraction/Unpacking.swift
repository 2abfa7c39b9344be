internal import SystemCalls
internal import SystemPackage

/// A layer being unpacked: what became of its entries so far.
struct Unpacking {
    /// A directory whose owner, permissions and times are set at last, since what happens in it changes its times, and
    /// may need other permissions.
    private struct PendingDirectory {
        let entry: TarEntry
        /// Whether it may have an access control list that is not in the archive.
        let inheritsAccessList: Bool
        /// Where it comes among the others.
        let rank: Int

        /// About how much memory it takes.
        var bytes: Int {
            entry.attributes.reduce(512 + entry.path.count) { $0 + $1.name.count + $1.value.count + 128 }
        }
    }

    private static let root = FileName(".".utf8)
    /// About how much memory a number in a set takes.
    private static let bytesOfNumber = 32

    private(set) var summary = LayerExtraction.Summary()
    private var tree: ExtractionRoot
    /// The entries that came with the layer itself, in directories that did not; see ``location(_:_:)``.
    private var unpacked: Set<Int> = []
    /// By their inodes: an archive may have one as often as it likes, and the last time counts.
    private var pendingDirectories: [UInt64: PendingDirectory] = [:]
    private var pendingBytes = 0
    private var hasLinkDirectory = false
    private let memoryLimit: Int

    /// - Parameter memoryLimit: As of ``LayerExtraction/memoryLimit``.
    init(into root: FileDescriptor, memoryLimit: Int) {
        tree = ExtractionRoot(root)
        self.memoryLimit = memoryLimit
    }

    /// Does what an entry says.
    mutating func unpack(_ entry: TarEntry, from reader: TarReader) throws(LayerArchiveError) {
        try carryOut(entry, from: reader)
        let kept = pendingBytes + (unpacked.count + tree.newDirectoryCount) * Self.bytesOfNumber
        guard kept <= memoryLimit else {
            throw LayerArchiveError(
                .unsupported,
                "what must be remembered of the directories and files of the archive takes more than "
                    + "\(memoryLimit >> 20) MiB, at")
        }
    }

    private mutating func carryOut(_ entry: TarEntry, from reader: TarReader) throws(LayerArchiveError) {
        let (size, overflows) = summary.size.addingReportingOverflow(entry.size)
        guard !overflows else { throw LayerArchiveError(.malformed, "the sizes of all entries together are too large") }
        summary.size = size
        summary.entries += 1
        let path = try EntryPath(entry.path)
        guard let name = path.name else {
            guard entry.kind == .directory else {
                throw LayerArchiveError(.malformed, "the root of a layer can only be a directory")
            }
            try deferDirectory(entry, Self.root, in: directory(path), isNew: false)
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
        for (inode, pending) in pendingDirectories.sorted(by: { $0.value.rank > $1.value.rank }) {
            let path = try EntryPath(pending.entry.path)
            do {
                let directory = try tree.directory(path.parent)
                let file = try UnpackedFile(path.name ?? Self.root, in: directory).held()
                let status = try file.status()
                // Another entry may have replaced it.
                guard status.type == .directory, status.inode == inode else { continue }
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
        do {
            try tree.clear(directory) { [unpacked, tree] inode, name in
                tree.isNew(inode) || unpacked.contains(Self.location(inode, name))
            }
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
            try deferDirectory(entry, name, in: directory, isNew: isNew)
        case .file:
            let contents = try replacing(name, in: directory, file.makeContents)
            try contents.write(entry, from: reader)
            try restore(entry, in: directory) { () throws(Errno) in contents.file }
        case .hardLink:
            // It shares what its file has got.
            try link(name, in: directory, to: EntryPath(entry.linkTarget))
        case .symbolicLink:
            try replacing(name, in: directory) { () throws(Errno) in try file.makeSymbolicLink(to: entry.linkTarget) }
            try restore(entry, in: directory) { () throws(Errno) in try file.held(entry.kind.fileType) }
        case .characterDevice, .blockDevice, .fifo:
            try replacing(name, in: directory) { () throws(Errno) in try file.makeNode(entry) }
            try restore(entry, in: directory) { () throws(Errno) in try file.held(entry.kind.fileType) }
        }
        if !tree.isNew(directory.inode) { unpacked.insert(Self.location(directory.inode, name)) }
    }

    /// Gives a file that was made what its entry says.
    private mutating func restore(
        _ entry: TarEntry, in directory: ExtractionRoot.Directory, _ file: () throws(Errno) -> HeldFile
    ) throws(LayerArchiveError) {
        do {
            summary.refusedAttributes += try file().restore(entry, inheritsAccessList: directory.givesAccessList)
        } catch .staleNFSFileHandle {
            throw LayerArchiveError(.changedMeanwhile, "another file has taken the place of")
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
        _ entry: TarEntry, _ name: FileName, in directory: ExtractionRoot.Directory, isNew: Bool
    ) throws(LayerArchiveError) {
        do {
            let inode = try UnpackedFile(name, in: directory).status().inode
            if isNew { tree.noteNew(inode) }
            let pending = PendingDirectory(
                entry: entry, inheritsAccessList: isNew && directory.givesAccessList, rank: summary.entries)
            let replaced = pendingDirectories.updateValue(pending, forKey: inode)
            pendingBytes += pending.bytes - (replaced?.bytes ?? 0)
        } catch {
            throw LayerArchiveError(.file, "cannot get the status of", errno: error)
        }
    }

    /// A 64-bit hash that stands for an entry of a directory, since an archive can have many entries.
    ///
    /// Two entries practically never have the same hash, not even in a forged archive: each process has another seed.
    private static func location(_ directory: UInt64, _ name: FileName) -> Int {
        var hasher = Hasher()
        hasher.combine(directory)
        hasher.combine(name)
        return hasher.finalize()
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
