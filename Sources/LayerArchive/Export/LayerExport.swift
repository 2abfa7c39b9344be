internal import SystemCalls
public import SystemPackage

/// Writes the differences between a layer and its parent as a tar archive, by Docker's rules.
///
/// The entries are sorted by the bytes of their paths; the same layer always gives the same bytes. A deletion becomes
/// an empty file `.wh.NAME` with mode 0 and the time of the directory (Docker takes the time of the export). Another
/// name of a file that came before becomes a hard link. Sockets are left out.
///
/// By default nothing else is lost; Docker loses all extended attributes but the file capabilities, and the fractions of
/// the seconds of times.
public struct LayerExport: Sendable {
    /// The attributes of files that an archive holds.
    public enum Attributes: Sendable {
        /// Times to the nanosecond, and all extended attributes but `security.selinux`, which comes from the host's
        /// policy, and `security.evm`, which signs the inode.
        ///
        /// ``LayerExport/reservedNames`` decides on names that begin with `.wh.`.
        case all
        /// The attributes that Docker exports: times in whole seconds, and of the extended attributes
        /// `security.capability` only, without the user namespace that it may be valid in.
        ///
        /// Also as Docker does it, names that begin with `.wh.` are written as they are.
        case docker
    }

    /// The form of the holes of sparse files in an archive.
    public enum Holes: Sendable {
        /// Zeros, as Docker writes them. ``LayerExtraction`` makes holes of them again.
        case zeros
        /// Holes, in the form that GNU tar calls pax format 1.0. Docker reads it when it loads an image, but may not
        /// give back the same bytes when it saves that.
        case holes
    }

    /// The treatment of files whose names begin with `.wh.`, which no layer archive can hold.
    ///
    /// Unpacked, such a name deletes another file.
    public enum ReservedNames: Sendable {
        /// The first one is an error, before anything is written. So an archive never lacks a file that its reader counts
        /// on.
        case refused
        /// They are left out, with all that is in them.
        case leftOut
    }

    /// The numbers of bytes and entries of a written archive.
    public struct Summary: Hashable, Sendable {
        /// The size of the archive in bytes.
        public fileprivate(set) var size: Int64 = 0
        /// How many entries it has.
        public fileprivate(set) var entries = 0
        /// How many sockets were left out.
        public fileprivate(set) var sockets = 0
        /// How many files were left out because of their names; see ``LayerExport/ReservedNames``.
        public fileprivate(set) var reservedNames = 0

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(size: Int64 = 0, entries: Int = 0, sockets: Int = 0, reservedNames: Int = 0) {
            self.size = size
            self.entries = entries
            self.sockets = sockets
            self.reservedNames = reservedNames
        }
    }

    /// The attributes of files that the archive holds.
    public var attributes: Attributes
    /// The form of the holes of sparse files in the archive.
    public var holes: Holes
    /// The treatment of names that begin with `.wh.`; with ``Attributes/docker``, they are written as they are.
    public var reservedNames: ReservedNames
    /// Asked before each entry and for each mebibyte.
    public var cancellation: Cancellation

    /// Makes the settings of an export.
    public init(
        attributes: Attributes = .all, holes: Holes = .zeros, reservedNames: ReservedNames = .refused,
        cancellation: Cancellation = .never
    ) {
        self.attributes = attributes
        self.holes = holes
        self.reservedNames = reservedNames
        self.cancellation = cancellation
    }

    /// Writes the archive.
    ///
    /// - Parameters:
    ///   - changes: The differences between the layer and its parent.
    ///   - upper: The root directory of the layer.
    ///   - output: Where the archive goes.
    /// - Throws: ``LayerArchiveError/Code/changedMeanwhile`` when the layer is being written to;
    ///   ``LayerArchiveError/Code/output``, ``LayerArchiveError/Code/file``, ``LayerArchiveError/Code/reservedName``.
    @discardableResult
    public func write(
        _ changes: ChangeSet, of upper: FileDescriptor, to output: any ArchiveOutput
    ) throws(LayerArchiveError) -> Summary {
        let reserved = attributes == .all ? changes.firstChange(named: Whiteout.prefix) : nil
        if let reserved, reservedNames == .refused {
            throw LayerArchiveError(.reservedName, "the archive cannot hold the name", name: reserved.relativePath)
        }
        let writer = TarWriter(output, cancellation: cancellation)
        var source = ExportSource(upper)
        // Where the first name of a file is in the changes, by its inode.
        var linkedFiles: [UInt64: Int] = [:]
        var summary = Summary()
        for position in changes.indices {
            try cancellation.check()
            let change = changes[position]
            if reserved != nil, Self.hasReservedName(change) {
                summary.reservedNames += 1
                continue
            }
            if change.kind != .deleted, change.type == .socket {
                summary.sockets += 1
                continue
            }
            do {
                try write(changes, position, from: &source, to: writer, &linkedFiles)
            } catch {
                var error = error
                if error.code != .output, error.code != .cancelled { error.name = change.relativePath }
                throw error
            }
            summary.entries += 1
        }
        try writer.finish()
        summary.size = writer.offset
        return summary
    }

    /// Whether the name of the file, or of a directory that it is in, means a deletion in an archive.
    private static func hasReservedName(_ change: Change) -> Bool {
        change.relativePath.split(separator: UInt8(ascii: "/")).contains { $0.starts(with: Whiteout.prefix) }
    }

    private func write(
        _ changes: ChangeSet, _ position: Int, from source: inout ExportSource, to writer: TarWriter,
        _ linkedFiles: inout [UInt64: Int]
    ) throws(LayerArchiveError) {
        let change = changes[position]
        let name = try source.enterParent(of: change)
        if change.kind == .deleted {
            let parent = change.relativePath.dropLast(name.bytes.count)
            var entry = TarEntry(path: parent + Whiteout.prefix + name.bytes, kind: .file, permissions: 0)
            entry.modificationTime = Timestamp(seconds: try source.parentTime().seconds)
            try writer.append(entry)
            return
        }
        let file = try source.open(name, change.type)
        guard file.status.type == change.type else {
            throw LayerArchiveError(.changedMeanwhile, "another file has taken the place of")
        }
        var entry = try entry(for: change, file)
        if entry.kind != .directory, file.status.linkCount > 1 {
            if let first = linkedFiles[file.status.inode] {
                entry.kind = .hardLink
                entry.linkTarget = changes[first].relativePath
                entry.size = 0
                try writer.append(entry)
                return
            }
            linkedFiles[file.status.inode] = position
        }
        entry.attributes = try file.extendedAttributes(attributes)
        if entry.kind == .file, holes == .holes { entry.dataRanges = try file.dataRanges() }
        try writer.append(entry)
        if let ranges = entry.dataRanges {
            try file.copy(ranges, to: writer)
        } else if entry.kind == .file {
            try file.copyWithZeros(to: writer)
        }
    }

    private func entry(for change: Change, _ file: ExportFile) throws(LayerArchiveError) -> TarEntry {
        let status = file.status
        let kind: TarEntry.Kind =
            switch status.type {
            case .regular: .file
            case .directory: .directory
            case .symbolicLink: .symbolicLink
            case .characterSpecial: .characterDevice
            case .blockSpecial: .blockDevice
            case .fifo: .fifo
            default: throw LayerArchiveError(.unsupported, "the archive cannot hold a file of this type:")
            }
        var entry = TarEntry(path: change.relativePath, kind: kind, permissions: status.permissions)
        entry.userID = status.userID
        entry.groupID = status.groupID
        entry.modificationTime = status.modificationTime
        if attributes == .docker { entry.modificationTime.nanoseconds = 0 }
        entry.deviceMajor = status.deviceMajor
        entry.deviceMinor = status.deviceMinor
        if kind == .file { entry.size = status.size }
        if kind == .symbolicLink { entry.linkTarget = try file.linkTarget() }
        return entry
    }
}
