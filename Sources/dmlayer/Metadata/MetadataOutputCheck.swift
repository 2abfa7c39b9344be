internal import BlockDevices
internal import SystemCalls
internal import SystemPackage
internal import ThinProvisioning

/// Looks at what a command would overwrite with metadata.
enum MetadataOutputCheck {
    /// Refuses an output that is not empty, or that ``requireUnused(_:input:)`` refuses.
    ///
    /// - Parameter isForced: Whether the content does not matter.
    static func require(_ path: FilePath, input: FilePath? = nil, isForced: Bool) throws {
        let place = "name a device or a file that has the size of the metadata"
        do {
            let type = try Stat(path).type
            guard type == .regular || type == .blockSpecial else {
                throw Failure("\(path) is neither a block device nor a file; \(place)")
            }
        } catch let error as Errno {
            throw Failure("cannot open \(path): \(error); \(place)")
        }
        try requireUnused(path, input: input)
        guard !isForced else { return }
        if let content = try content(of: path) {
            throw Failure("\(path) holds \(content); to overwrite that, add --force")
        }
    }

    /// Refuses an output that is the input as well, and a file behind a loop device, whose user may have a pool active on it.
    ///
    /// A device that something holds is refused when it is opened.
    static func requireUnused(_ path: FilePath, input: FilePath? = nil) throws {
        // A file that cannot be examined is none yet, or cannot be opened either.
        guard let status = try? Stat(path) else { return }
        // An input that cannot be examined is refused when it is opened.
        if let input, let source = try? Stat(input) {
            let isBehind =
                try status.type == .blockSpecial && source.type == .regular
                && LoopDevice.attached(to: input).contains { try Stat($0.path).isSameFile(as: status) }
            guard !isBehind, !status.isSameFile(as: source) else {
                throw Failure("\(path) is the input as well; name another output")
            }
        }
        if status.type == .regular, let loop = try LoopDevice.attached(to: path).first {
            throw Failure("\(path) is in use: the loop device \(loop.path) stands on it")
        }
    }

    /// Refuses an output that has metadata of a pool on it, for what is not metadata.
    static func requireNoPool(_ path: FilePath) throws {
        // A file that cannot be read is none yet, or cannot be opened for writing either.
        guard let status = try? Stat(path), status.type == .regular || status.type == .blockSpecial,
            let file = try? FileDescriptor.open(path, .readOnly, options: .closeOnExec)
        else { return }
        let first = try file.closeAfter { try read(file, 0, ThinPoolMetadata.blockSize) }
        guard !ThinPoolMetadata.hasMagic(first) else {
            throw Failure("\(path) holds metadata of a thin pool; name another output")
        }
    }

    private static func read(_ file: FileDescriptor, _ offset: UInt64, _ count: Int) throws -> [UInt8] {
        try unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = try unsafe file.read(
                fromAbsoluteOffset: Int64(clamping: offset), into: UnsafeMutableRawBufferPointer(buffer))
        }
    }

    /// Names the content of an output; `nil` for one that begins with zeros, and for a restore that was not completed.
    private static func content(of path: FilePath) throws -> String? {
        let descriptor: FileDescriptor
        do {
            descriptor = try .open(path, .readOnly, options: .closeOnExec)
        } catch {
            throw Failure("cannot open \(path): \(error)")
        }
        return try descriptor.closeAfter {
            let size = UInt64(max(0, try descriptor.seek(offset: 0, from: .end)))
            let found = try DeviceSignature.found(size: size) { try read(descriptor, $0, $1) }
            let first = try read(descriptor, 0, ThinPoolMetadata.blockSize)
            let isPool = ThinPoolMetadata.hasMagic(first)
            // libblkid has no name for metadata of a thin pool.
            if let other = found.first(where: { !(isPool && $0.names.isEmpty) }) { return other.description }
            if first.allSatisfy({ $0 == 0 }) { return nil }
            if first.starts(with: "dmlayer has not completed".utf8) { return nil }
            return isPool ? "metadata of a thin pool" : "data that no program here knows"
        }
    }
}
