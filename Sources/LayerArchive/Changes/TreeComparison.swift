internal import SystemPackage

/// One walk through two directory trees, side by side, that finds what differs.
///
/// It goes through the paths in the order of their bytes, where `a-b` comes after `a`, but before `a/b`. Contents are
/// never read. The status of a file is asked only where both trees have it and its inode is not known to be unchanged, and
/// its extended attributes only where the status leaves doubt.
struct TreeComparison {
    /// A directory that is being visited, in one tree or in both, and how far.
    private struct Level {
        let name: FileName
        let isInLower: Bool
        let rank: Int
        /// The directory in `changes`; `nil` as long as it need not be listed.
        var change: Int?
        var upperEntries: ArraySlice<DirectoryEntry>
        var lowerEntries: ArraySlice<DirectoryEntry>
        /// Directories in it whose turn has not come, since names that begin with theirs come first.
        var waiting: [Directory] = []
    }

    /// A directory to be visited.
    private struct Directory {
        let name: FileName
        let isInLower: Bool
        /// Whether the directory has the same entries in both trees.
        var isUnchanged = false
        let rank: Int
        let change: Int?

        /// Whether `name`, which comes after the directory's own, comes before what is in the directory.
        func isAfter(_ name: FileName?) -> Bool {
            guard let name, name.bytes.starts(with: self.name.bytes) else { return false }
            return name.bytes.dropFirst(self.name.bytes.count).first.map { $0 < UInt8(ascii: "/") } ?? false
        }
    }

    /// The differences found so far.
    private(set) var changes = ChangeTree()
    private let upper: DirectoryStack
    /// Not used where no level is in the lower tree.
    private let lower: DirectoryStack
    private var levels: [Level] = []
    /// How many paths were visited.
    private var visited = 0
    private let isUnchanged: (UInt64) -> Bool
    private let cancellation: Cancellation

    init(
        of upper: FileDescriptor, against lower: FileDescriptor?, isUnchanged: @escaping (UInt64) -> Bool,
        cancellation: Cancellation
    ) throws(LayerArchiveError) {
        self.isUnchanged = isUnchanged
        self.cancellation = cancellation
        self.upper = try Self.open(upper)
        self.lower = try Self.open(lower ?? upper)
        let root = Directory(
            name: FileName(".".utf8), isInLower: lower != nil, rank: 0, change: ChangeTree.root)
        try list(root)
    }

    private static func open(_ root: FileDescriptor) throws(LayerArchiveError) -> DirectoryStack {
        do {
            return try DirectoryStack(FileName(".".utf8), in: root)
        } catch {
            throw LayerArchiveError(.file, "cannot open the root directory", errno: error)
        }
    }

    /// Visits the next entry.
    ///
    /// - Returns: `false` when there is none left.
    mutating func advance() throws(LayerArchiveError) -> Bool {
        try cancellation.check()
        guard let level = levels.last else { return false }
        let current = levels.count - 1
        let (entry, origin) = (level.upperEntries.first, level.lowerEntries.first)
        let isInUpper = entry != nil && origin.map { entry?.name ?? $0.name <= $0.name } ?? true
        let isInLower = origin != nil && entry.map { origin?.name ?? $0.name <= $0.name } ?? true
        let next = isInUpper ? entry?.name : origin?.name
        if let directory = level.waiting.last, !directory.isAfter(next) {
            levels[current].waiting.removeLast()
            try enter(directory)
        } else if isInUpper, let entry {
            levels[current].upperEntries.removeFirst()
            if isInLower { levels[current].lowerEntries.removeFirst() }
            if let origin, isInLower {
                try visitBoth(entry, origin)
            } else {
                try visitAdded(entry)
            }
        } else if let origin {
            levels[current].lowerEntries.removeFirst()
            visited += 1
            try append(.deleted, origin.name, .regular)
        } else {
            try leave()
        }
        return true
    }

    // MARK: Entries

    private mutating func visitAdded(_ entry: DirectoryEntry) throws(LayerArchiveError) {
        visited += 1
        var type = entry.type
        if type == nil { type = try status(of: entry.name, in: upper).type }
        let change = try append(.added, entry.name, type ?? .regular)
        guard type == .directory else { return }
        wait(for: Directory(name: entry.name, isInLower: false, rank: visited, change: change))
    }

    private mutating func visitBoth(
        _ entry: DirectoryEntry, _ originEntry: DirectoryEntry
    ) throws(LayerArchiveError) {
        visited += 1
        let name = entry.name
        if entry.inode == originEntry.inode, let type = entry.type, type == originEntry.type, isUnchanged(entry.inode) {
            guard type == .directory else { return }
            return wait(for: Directory(name: name, isInLower: true, isUnchanged: true, rank: visited, change: nil))
        }
        let status = try status(of: name, in: upper)
        let origin = try self.status(of: name, in: lower)
        var isModified = status.differs(from: origin)
        if !isModified, !status.isCertainlyUnchanged(since: origin) {
            isModified = try capabilityDiffers(name)
        }
        let change = isModified ? try append(.modified, name, status.type) : nil
        // The files of a directory that another type of file replaced are deleted with it, and are not listed.
        guard status.type == .directory else { return }
        wait(for: Directory(name: name, isInLower: origin.type == .directory, rank: visited, change: change))
    }

    private func capabilityDiffers(_ name: FileName) throws(LayerArchiveError) -> Bool {
        do {
            let capability = try AttributeHolder(name, in: upper.current).value(of: ExtendedAttribute.capability)
            return try capability != AttributeHolder(name, in: lower.current).value(of: ExtendedAttribute.capability)
        } catch {
            throw failure("cannot read the file capability of", error, name)
        }
    }

    /// Lists the entry that was visited last, and the directories above it if they are not.
    @discardableResult
    private mutating func append(
        _ kind: Change.Kind, _ name: FileName, _ type: FileType
    ) throws(LayerArchiveError) -> Int {
        var parent = ChangeTree.root
        let listed = levels.lastIndex { $0.change != nil } ?? 0
        for index in levels.indices.dropFirst(listed) {
            let level = levels[index]
            if let change = level.change {
                parent = change
            } else {
                parent = try changes.append(.modified, .directory, level.name, parent: parent, rank: level.rank)
            }
            levels[index].change = parent
        }
        return try changes.append(kind, type, name, parent: parent, rank: visited)
    }

    // MARK: Directories

    private mutating func wait(for directory: Directory) {
        levels[levels.count - 1].waiting.append(directory)
    }

    private mutating func enter(_ directory: Directory) throws(LayerArchiveError) {
        let depth = upper.depth
        do {
            try upper.enter(directory.name)
            if directory.isInLower { try lower.enter(directory.name) }
        } catch .improperLink {
            // Something is mounted there, which is no part of the layer.
            if upper.depth > depth { try leave(upper) }
            return
        } catch {
            throw failure("cannot open the directory", error, directory.name)
        }
        try list(directory)
    }

    private mutating func list(_ directory: Directory) throws(LayerArchiveError) {
        do {
            let upperEntries = try upper.entries()
            // Every change in a directory changes its inode.
            let lowerEntries =
                directory.isUnchanged ? upperEntries : directory.isInLower ? try lower.entries() : []
            levels.append(
                Level(
                    name: directory.name, isInLower: directory.isInLower, rank: directory.rank,
                    change: directory.change, upperEntries: upperEntries[...], lowerEntries: lowerEntries[...]))
        } catch {
            throw failure("cannot read the directory", error, directory.name)
        }
    }

    private mutating func leave() throws(LayerArchiveError) {
        guard let left = levels.popLast(), !levels.isEmpty else { return }
        try leave(upper)
        if left.isInLower { try leave(lower) }
    }

    private func leave(_ tree: DirectoryStack) throws(LayerArchiveError) {
        do {
            try tree.leave()
        } catch {
            throw LayerArchiveError(
                .changedMeanwhile, "cannot go back to the directory", name: path(FileName([])), errno: error)
        }
    }

    // MARK: Failures

    private func status(of name: FileName, in tree: DirectoryStack) throws(LayerArchiveError) -> FileStatus {
        do {
            return try FileStatus(of: name, in: tree.current)
        } catch {
            throw failure("cannot get the status of", error, name)
        }
    }

    private func failure(_ attempt: String, _ error: Errno, _ name: FileName) -> LayerArchiveError {
        // The name was in the directory a moment ago.
        let code: LayerArchiveError.Code = error == .noSuchFileOrDirectory ? .changedMeanwhile : .file
        return LayerArchiveError(code, attempt, name: path(name), errno: error)
    }

    /// The path of an entry of the directory being visited.
    private func path(_ name: FileName) -> [UInt8] {
        let parts = levels.dropFirst().map(\.name.bytes) + [name.bytes]
        return Array(parts.joined(separator: CollectionOfOne(UInt8(ascii: "/"))))
    }
}
