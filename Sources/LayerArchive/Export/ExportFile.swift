internal import CShims
internal import SystemCalls
internal import SystemPackage

/// One file that is being exported: open if it is a regular file, since opening others may do something.
final class ExportFile {
    private let descriptor: FileDescriptor?
    let status: FileStatus
    private let name: FileName
    private let directory: FileDescriptor
    /// Keeps `directory` open.
    private let parent: OpenDirectory?

    init(
        _ name: FileName, _ type: FileType, in directory: FileDescriptor, keeping parent: OpenDirectory?
    ) throws(Errno) {
        self.name = name
        self.directory = directory
        self.parent = parent
        guard type == .regular else {
            descriptor = nil
            status = try FileStatus(of: name, in: directory)
            return
        }
        // Only what is certainly a regular file is opened: a process may have put a device in its place, and opening that
        // may do something.
        let held = try HeldFile(name, in: directory)
        status = try held.status()
        // As a symbolic link that has taken its place.
        guard status.type == .regular else { throw .tooManySymbolicLinkLevels }
        descriptor = try held.openForReading()
    }

    deinit {
        if let descriptor { SystemCalls.close(descriptor.rawValue) }
    }

    /// The target of a symbolic link.
    func linkTarget() throws(LayerArchiveError) -> [UInt8] {
        do {
            return try name.linkTarget(in: directory, guess: min(Int(clamping: status.size), 4096))
        } catch {
            throw ExportSource.failure("cannot read the symbolic link", error)
        }
    }

    /// The extended attributes that go into an archive.
    func extendedAttributes(_ wanted: LayerExport.Attributes) throws(LayerArchiveError) -> [ExtendedAttribute] {
        let holder = descriptor.map { AttributeHolder($0) } ?? AttributeHolder(name, in: directory)
        var attributes: [ExtendedAttribute] = []
        do {
            switch wanted {
            case .docker:
                if let value = try holder.value(of: ExtendedAttribute.capability) {
                    let value = FileCapability.withoutNamespace(value)
                    attributes.append(ExtendedAttribute(name: ExtendedAttribute.capability, value: value))
                }
            case .all:
                for name in try holder.names() where !ExtendedAttribute.boundToOriginal.contains(name) {
                    guard let value = try holder.value(of: name) else { continue }
                    attributes.append(ExtendedAttribute(name: name, value: value))
                }
            }
        } catch {
            throw ExportSource.failure("cannot read the extended attributes of", error)
        }
        return attributes
    }

    // MARK: Contents

    /// Where the file has data, or `nil` when it has no holes, or too many pieces to list them.
    func dataRanges() throws(LayerArchiveError) -> [Range<Int64>]? {
        guard status.allocatedSize < status.size else { return nil }
        var ranges: [Range<Int64>] = []
        var end: Int64 = 0
        while let range = try nextData(after: end) {
            guard ranges.count < SparseMap.mostWrittenRanges else { return nil }
            // File systems have no smaller blocks; and GNU tar reads each range in whole ones.
            end = min(range.upperBound + (-range.upperBound & Int64(TarBlock.size - 1)), status.size)
            ranges.append(range.lowerBound..<end)
        }
        return ranges == [0..<status.size] ? nil : ranges
    }

    /// Writes the contents of some ranges.
    func copy(_ ranges: [Range<Int64>], to writer: TarWriter) throws(LayerArchiveError) {
        guard let descriptor else { return }
        for range in ranges {
            _ = try seek(to: range.lowerBound, SEEK_SET)
            try writer.write(range.upperBound - range.lowerBound, from: descriptor)
        }
    }

    /// Writes the contents, and zeros for holes, which are not read.
    func copyWithZeros(to writer: TarWriter) throws(LayerArchiveError) {
        guard let descriptor else { return }
        guard status.allocatedSize < status.size else { return try writer.write(status.size, from: descriptor) }
        var end: Int64 = 0
        while let range = try nextData(after: end) {
            try writer.writeZeros(range.lowerBound - end)
            try copy([range], to: writer)
            end = range.upperBound
        }
        try writer.writeZeros(status.size - end)
    }

    /// The next range that has data, within the size that the file had before it was opened.
    private func nextData(after offset: Int64) throws(LayerArchiveError) -> Range<Int64>? {
        guard offset < status.size, let start = try seek(to: offset, dmshim_SEEK_DATA), start < status.size else {
            return nil
        }
        guard let end = try seek(to: start, dmshim_SEEK_HOLE), end > start else { return start..<status.size }
        return start..<min(end, status.size)
    }

    /// - Returns: `nil` when there is no data behind the offset.
    private func seek(to offset: Int64, _ whence: CInt) throws(LayerArchiveError) -> Int64? {
        do {
            return Int64(try systemCall { lseek(descriptor?.rawValue ?? -1, off_t(offset), whence) })
        } catch {
            guard error == .noSuchAddressOrDevice else { throw ExportSource.failure("cannot find the holes of", error) }
            return nil
        }
    }
}
