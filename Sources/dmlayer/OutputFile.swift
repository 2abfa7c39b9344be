internal import SystemCalls
internal import SystemPackage

/// A file that a command writes.
///
/// It appears, or replaces the one that is there, when it is complete; what was there before stays if anything fails. A pipe, a
/// device or the like is written to directly.
struct OutputFile {
    private let path: FilePath
    /// The permissions of a file that was not there.
    private let permissions: FilePermissions

    init(_ path: FilePath, permissions: FilePermissions = [.ownerReadWrite, .groupRead, .otherRead]) {
        (self.path, self.permissions) = (path, permissions)
    }

    /// Calls `body` with the file open for writing.
    func write<Result>(_ body: (FileDescriptor) throws -> Result) throws -> Result {
        let existing = try status()
        if let existing, existing.type != .regular || isStandardOutput(existing) {
            return try writeDirectly(existing, body)
        }
        let target = try existing == nil ? path : resolved()
        let temporary = target.removingLastComponent()
            .appending(".dmlayer-" + String(UInt64.random(in: .min ... .max), radix: 16))
        let file = try open(temporary)
        do {
            // Behind `fsync`, nothing is left that could fail.
            defer { try? file.close() }
            let result = try naming { try body(file) }
            try finish(file, like: existing)
            // On the disk before the name leads to it: otherwise a power cut could leave an empty file of this name.
            try attempt("write \(path)") { fsync(file.rawValue) }
            try attempt("write \(path)") { unsafe rename(temporary.string, target.string) }
            return result
        } catch {
            _ = unsafe unlink(temporary.string)
            throw error
        }
    }

    /// Runs `body`, and adds the path to an error number that it throws.
    private func naming<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as Errno {
            throw Failure("cannot write \(path): \(error)")
        }
    }

    private func status() throws -> Stat? {
        do {
            return try Stat(path)
        } catch Errno.noSuchFileOrDirectory {
            return nil
        } catch {
            throw Failure("cannot open \(path): \(error)")
        }
    }

    /// Whether the path leads to what standard output is, as /dev/stdout does: that is written to where it stands.
    private func isStandardOutput(_ file: Stat) -> Bool {
        // Without a standard output, it is another file.
        guard let output = try? Stat(FileDescriptor.standardOutput) else { return false }
        return output.isSameFile(as: file)
    }

    private func writeDirectly<Result>(
        _ existing: Stat, _ body: (FileDescriptor) throws -> Result
    ) throws -> Result {
        guard !isStandardOutput(existing) else { return try body(.standardOutput) }
        let file: FileDescriptor
        do {
            // Linux refuses a block device that a mount, a mapping or a pool holds.
            let options: FileDescriptor.OpenOptions = existing.type == .blockSpecial ? .exclusiveCreate : []
            file = try .open(path, .writeOnly, options: options.union(.closeOnExec))
        } catch Errno.resourceBusy {
            throw Failure("\(path) is in use: a mount, a mapping or a pool holds it; name another output")
        } catch {
            throw Failure("cannot open \(path): \(error)")
        }
        return try file.closeAfter { try naming { try body(file) } }
    }

    /// The path without symbolic links, so that they stay.
    private func resolved() throws -> FilePath {
        do throws(Errno) {
            guard let target = try unsafe pointerCall({ unsafe realpath(path.string, nil) }) else { return path }
            defer { unsafe free(target) }
            return unsafe FilePath(platformString: target)
        } catch {
            throw Failure("cannot open \(path): \(error)")
        }
    }

    private func open(_ temporary: FilePath) throws -> FileDescriptor {
        do {
            return try .open(
                temporary, .writeOnly, options: [.create, .exclusiveCreate, .closeOnExec],
                permissions: permissions)
        } catch {
            throw Failure("cannot make a file in the directory of \(path): \(error)")
        }
    }

    /// Gives the file the permissions, and as far as that is allowed the owner, of the one that it replaces.
    private func finish(_ file: FileDescriptor, like existing: Stat?) throws {
        guard let existing else { return }
        // Only root may give files away; the file is its writer's otherwise.
        _ = fchown(file.rawValue, existing.userID.rawValue, existing.groupID.rawValue)
        try attempt("set the permissions of \(path)") { fchmod(file.rawValue, existing.permissions.rawValue) }
    }

    /// Makes a system call, and says what it was for when it fails.
    private func attempt(_ purpose: String, _ call: () -> CInt) throws {
        do throws(Errno) {
            try systemCall(call)
        } catch {
            throw Failure("cannot \(purpose): \(error)")
        }
    }
}
