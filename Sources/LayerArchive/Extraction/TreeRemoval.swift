internal import SystemCalls
internal import SystemPackage

/// Removes files and whole trees, and nothing that is mounted within them.
enum TreeRemoval {
    /// Removes the entry `name` of a directory, with all that is in it.
    ///
    /// - Returns: `false` when there is none.
    @discardableResult
    static func remove(_ name: FileName, in directory: FileDescriptor) throws(Errno) -> Bool {
        do {
            try unlink(name, in: directory)
        } catch .isDirectory {
            try clear(name, in: directory) { _, _ in false }
            try unlink(name, in: directory, AT_REMOVEDIR)
        } catch .noSuchFileOrDirectory {
            return false
        } catch {
            throw error
        }
        return true
    }

    /// Removes what is in the directory `name`, at any depth, but not the entries that `keeps` wants, which is asked
    /// with the inode of a directory and the name of an entry, nor the directories where they are.
    static func clear(
        _ name: FileName, in directory: FileDescriptor, keeping keeps: (UInt64, FileName) -> Bool
    ) throws(Errno) {
        let stack = try DirectoryStack(name, in: directory)
        var levels = [(name: name, rest: try stack.entries()[...])]
        while let level = levels.last {
            if let next = level.rest.first {
                levels[levels.count - 1].rest.removeFirst()
                guard try isDirectory(next, in: stack, isKept: keeps(stack.inode(), next.name)) else { continue }
                try stack.enter(next.name)
                levels.append((next.name, try stack.entries()[...]))
            } else {
                levels.removeLast()
                guard !levels.isEmpty else { return }
                try stack.leave()
                guard try !keeps(stack.inode(), level.name) else { continue }
                do {
                    try unlink(level.name, in: stack.current, AT_REMOVEDIR)
                } catch .directoryNotEmpty {
                    // Something in it was to be kept.
                } catch {
                    throw error
                }
            }
        }
    }

    /// Removes the entry if it is no directory and not to be kept.
    private static func isDirectory(
        _ entry: DirectoryEntry, in stack: DirectoryStack, isKept: Bool
    ) throws(Errno) -> Bool {
        guard entry.type != .directory else { return true }
        guard !isKept else { return try FileStatus(of: entry.name, in: stack.current).type == .directory }
        do {
            try unlink(entry.name, in: stack.current)
            return false
        } catch .noSuchFileOrDirectory {
            // A process of the layer was faster.
            return false
        } catch .isDirectory {
            return true
        } catch {
            throw error
        }
    }

    private static func unlink(
        _ name: FileName, in directory: FileDescriptor, _ flags: CInt = 0
    ) throws(Errno) {
        try systemCall { unsafe name.withCString { name in unsafe unlinkat(directory.rawValue, name, flags) } }
    }
}
