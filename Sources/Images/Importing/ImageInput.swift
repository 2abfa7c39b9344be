#if Images
internal import LayerArchive
internal import SystemCalls
public import SystemPackage

/// Where images come from: a file, the folder of an OCI image layout, or a stream.
public struct ImageInput {
    private enum Source {
        case folder(FilePath)
        case open(FileDescriptor)
    }

    private let source: Source

    /// Takes a file or a folder.
    ///
    /// - Throws: ``ImageError/Code/notFound`` if it cannot be opened.
    public init(_ path: FilePath) throws {
        do {
            if try Stat(path).type == .directory {
                source = .folder(path)
            } else {
                source = .open(try .open(path, .readOnly, options: .closeOnExec))
            }
        } catch {
            throw ImageError(.notFound, "cannot open \(path): \(error)")
        }
    }

    /// Takes a stream that is open, such as standard input; it is closed behind the last image.
    public init(_ stream: FileDescriptor) {
        source = .open(stream)
    }

    /// Finds the files in it.
    ///
    /// The parts of an archive are needed in another order than they have there. A stream, and an archive that is compressed
    /// as a whole, are copied to a file without a name first.
    ///
    /// - Parameters:
    ///   - folder: Where that file is.
    ///   - cancellation: Asked for each mebibyte.
    ///   - progress: Is told how many bytes have been copied.
    func files(
        spool folder: FilePath, _ cancellation: Cancellation, _ progress: (Int64) -> Void
    ) throws -> any ArchiveFiles {
        switch source {
        case .folder(let path): return try LayoutFolder(path)
        case .open(let file):
            let status = try Stat(file)
            if status.type == .regular, try Compression(of: beginning(of: file)) == nil {
                return try ArchiveIndex(file, size: status.size, cancellation: cancellation)
            }
            defer {
                // It was only read.
                try? file.close()
            }
            let copy = try Spool(in: folder)
            let size = try copy.fill(from: file, cancellation, progress)
            return try ArchiveIndex(copy.file, size: size, cancellation: cancellation)
        }
    }

    private func beginning(of file: FileDescriptor) throws -> [UInt8] {
        do {
            return try BegunInput(FileRange(file, offset: 0, size: Int64(Compression.lengthOfMark))).start
        } catch {
            throw ImageError(.damaged, "cannot read the archive: \(error)")
        }
    }
}

/// A file without a name for an archive that can only be read from its beginning.
private struct Spool {
    /// How many bytes are copied between two looks at the free space.
    private static let step: Int64 = 64 << 20

    let file: FileDescriptor
    private let folder: FilePath

    init(in folder: FilePath) throws {
        let path = folder.appending(".dmlayer-" + String(UInt64.random(in: .min ... .max), radix: 16))
        do {
            file = try .open(
                path, .readWrite, options: [.create, .exclusiveCreate, .closeOnExec], permissions: [.ownerReadWrite])
        } catch {
            throw ImageError(.output, "cannot make a file in \(folder): \(error)")
        }
        // From here on, the file goes with its descriptor.
        _ = unsafe unlink(path.string)
        self.folder = folder
    }

    /// Copies a stream, decompressed.
    ///
    /// - Returns: How many bytes the file has.
    func fill(
        from stream: FileDescriptor, _ cancellation: Cancellation, _ progress: (Int64) -> Void
    ) throws -> Int64 {
        let begun = try reading { () throws(Errno) in try BegunInput(stream) }
        let decompressing = try reading { () throws(Errno) in try begun.decompressed() }
        let input: any ArchiveInput = decompressing ?? begun
        var (size, looked): (Int64, Int64) = (0, -Self.step)
        var piece: [UInt8] = []
        while true {
            try cancellation.check()
            if size - looked >= Self.step {
                try requireSpace()
                looked = size
            }
            piece.removeAll(keepingCapacity: true)
            try reading(decompressing) { () throws(Errno) in
                try piece.append(addingCapacity: 1 << 20) { (free) throws(Errno) in try input.read(into: &free) }
            }
            guard !piece.isEmpty else { return size }
            do {
                try file.write(contentsOf: piece.span)
            } catch {
                throw ImageError(.output, "cannot write a copy of the archive in \(folder): \(error)")
            }
            size += Int64(piece.count)
            progress(size)
        }
    }

    private func reading<Result>(
        _ input: DecompressedInput? = nil, _ body: () throws(Errno) -> Result
    ) throws(ImageError) -> Result {
        do {
            return try body()
        } catch {
            let reason = input?.complaint.map { "cannot decompress the archive: \($0)" }
            throw ImageError(.damaged, reason ?? "cannot read the archive: \(error)")
        }
    }

    /// Leaves a twentieth of the file system free: a little input can become very much when it is decompressed.
    private func requireSpace() throws {
        var space = statvfs()
        try systemCall { unsafe fstatvfs(file.rawValue, &space) }
        guard space.f_bavail > space.f_blocks / 20 else {
            throw ImageError(
                .output,
                "the file system of \(folder) has not enough space for a copy of the archive; decompress the archive to "
                    + "a file elsewhere, and import that file")
        }
    }
}
#endif
