internal import SystemPackage

/// One walk through two directory trees, side by side, that finds what differs.
///
/// The status of each file is asked once per tree. Contents are never read, and extended attributes only where the
/// status leaves doubt.
struct TreeComparison {
    /// A directory that is being visited, in one tree or in both, and how far.
    private struct Level {
        var upperNames: ArraySlice<FileName>
        var lowerNames: ArraySlice<FileName>
        let isInLower: Bool
        /// The length of the path of the directory, with a slash at its end.
        let pathLength: Int
    }

    /// The changes, each directory before what is in it.
    private(set) var changes: [Change] = []
    /// The sizes of added and modified files.
    private(set) var size: Int64 = 0

    private let upper: DirectoryStack
    /// Not used where no level is in the lower tree.
    private let lower: DirectoryStack
    private var levels: [Level] = []
    /// How many of the levels need not be listed any more: the root, and those whose directory is in `changes`.
    private var listedLevels = 1
    /// The path of the directory being visited, with a slash at its end, or nothing.
    private var path: [UInt8] = []
    private var linkedInodes: Set<UInt64> = []
    private let cancellation: Cancellation

    init(
        of upper: FileDescriptor, against lower: FileDescriptor?, cancellation: Cancellation
    ) throws(LayerArchiveError) {
        self.cancellation = cancellation
        self.upper = try Self.open(upper)
        self.lower = try Self.open(lower ?? upper)
        try list(isInLower: lower != nil)
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
        switch (level.upperNames.first, level.lowerNames.first) {
        case (nil, nil):
            try leave()
        case (let name?, let lowerName) where lowerName.map { name < $0 } ?? true:
            levels[levels.count - 1].upperNames.removeFirst()
            try visitAdded(name)
        case (let upperName, let name?) where upperName.map { name < $0 } ?? true:
            levels[levels.count - 1].lowerNames.removeFirst()
            append(.deleted, name, .regular)
        case (let name?, _):
            levels[levels.count - 1].upperNames.removeFirst()
            levels[levels.count - 1].lowerNames.removeFirst()
            try visitBoth(name)
        case (nil, _):
            return false
        }
        return true
    }

    private mutating func visitAdded(_ name: FileName) throws(LayerArchiveError) {
        let status = try status(of: name, in: upper.current)
        append(.added, name, status)
        if status.type == .directory { try enter(name, alsoInLower: false, isListed: true) }
    }

    private mutating func visitBoth(_ name: FileName) throws(LayerArchiveError) {
        let status = try status(of: name, in: upper.current)
        let origin = try self.status(of: name, in: lower.current)
        var isModified = status.differs(from: origin)
        if !isModified, !status.isCertainlyUnchanged(since: origin) {
            isModified = try capabilityDiffers(name)
        }
        if isModified { append(.modified, name, status) }
        // What was in a directory that is none any more goes with it, and is not listed.
        guard status.type == .directory else { return }
        try enter(name, alsoInLower: origin.type == .directory, isListed: isModified)
    }

    private func capabilityDiffers(_ name: FileName) throws(LayerArchiveError) -> Bool {
        do {
            let capability = try AttributeHolder(name, in: upper.current).value(of: ExtendedAttribute.capability)
            return try capability != AttributeHolder(name, in: lower.current).value(of: ExtendedAttribute.capability)
        } catch {
            throw failure("cannot read the file capability of", error, name)
        }
    }

    private mutating func append(_ kind: Change.Kind, _ name: FileName, _ status: FileStatus) {
        append(kind, name, status.type)
        guard status.type != .directory else { return }
        if status.linkCount > 1, !linkedInodes.insert(status.inode).inserted { return }
        size = size.addingReportingOverflow(status.size).partialValue
    }

    private mutating func append(_ kind: Change.Kind, _ name: FileName, _ type: FileType) {
        while listedLevels < levels.count {
            let directory = Array(path.prefix(levels[listedLevels].pathLength - 1))
            changes.append(Change(kind: .modified, relativePath: directory, type: .directory))
            listedLevels += 1
        }
        changes.append(Change(kind: kind, relativePath: path + name.bytes, type: type))
    }

    private mutating func enter(
        _ name: FileName, alsoInLower: Bool, isListed: Bool
    ) throws(LayerArchiveError) {
        let depth = upper.depth
        do {
            try upper.enter(name)
            if alsoInLower { try lower.enter(name) }
        } catch .improperLink {
            // Something is mounted there, which is no part of the layer.
            if upper.depth > depth { try leave(upper) }
            return
        } catch {
            throw failure("cannot open the directory", error, name)
        }
        path += name.bytes
        path.append(UInt8(ascii: "/"))
        try list(isInLower: alsoInLower)
        if isListed { listedLevels = levels.count }
    }

    private mutating func list(isInLower: Bool) throws(LayerArchiveError) {
        do {
            let upperNames = try upper.names()
            let lowerNames = isInLower ? try lower.names() : []
            levels.append(
                Level(
                    upperNames: upperNames[...], lowerNames: lowerNames[...], isInLower: isInLower,
                    pathLength: path.count))
        } catch {
            throw LayerArchiveError(.file, "cannot read the directory", name: path, errno: error)
        }
    }

    private mutating func leave() throws(LayerArchiveError) {
        guard let left = levels.popLast(), let parent = levels.last else { return }
        try leave(upper)
        if left.isInLower { try leave(lower) }
        path.removeSubrange(parent.pathLength...)
        listedLevels = min(listedLevels, levels.count)
    }

    private func leave(_ tree: DirectoryStack) throws(LayerArchiveError) {
        do {
            try tree.leave()
        } catch {
            throw LayerArchiveError(.changedMeanwhile, "cannot go back from the directory", name: path, errno: error)
        }
    }

    private func status(of name: FileName, in directory: FileDescriptor) throws(LayerArchiveError) -> FileStatus {
        do {
            return try FileStatus(of: name, in: directory)
        } catch {
            throw failure("cannot get the status of", error, name)
        }
    }

    private func failure(_ attempt: String, _ error: Errno, _ name: FileName) -> LayerArchiveError {
        // The name was in the directory a moment ago.
        let code: LayerArchiveError.Code = error == .noSuchFileOrDirectory ? .changedMeanwhile : .file
        return LayerArchiveError(code, attempt, name: path + name.bytes, errno: error)
    }
}
