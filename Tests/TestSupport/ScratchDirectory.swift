import Glibc
public import SystemPackage

/// A directory for one test, which goes away with this object: what is mounted in it is unmounted, loop devices lose
/// their files, and everything is removed.
public final class ScratchDirectory: Sendable {
    /// The directory's absolute path.
    public let path: FilePath

    /// Makes an empty directory below `$TMPDIR`, or `/tmp`.
    public init() throws {
        let parent = unsafe getenv("TMPDIR").map { unsafe FilePath(platformString: $0) } ?? "/tmp"
        var template = parent.appending("swift-devicemapper.XXXXXX").string.utf8CString
        path = try unsafe template.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress, unsafe mkdtemp(base) != nil else { throw Errno(rawValue: errno) }
            return unsafe FilePath(platformString: base)
        }
    }

    deinit {
        _ = try? Shell.run(
            """
            awk '{ print $5 }' /proc/self/mountinfo | grep '^\(path)/' | tac | xargs -r umount --lazy
            losetup --list --noheadings --output NAME,BACK-FILE | awk '$2 ~ "^\(path)/" { print $1 }' \
            | xargs -r losetup --detach
            rm -rf --one-file-system '\(path)'
            """)
    }

    /// A path below the directory.
    public func appending(_ name: String) -> FilePath {
        path.appending(name)
    }

    /// Makes a file that is one hole of `size` bytes.
    public func makeSparseFile(_ name: String, size: Int64) throws -> FilePath {
        let file = path.appending(name)
        try Shell.run("truncate --size=\(size) '\(file)'")
        return file
    }

    /// Makes a directory.
    public func makeDirectory(_ name: String) throws -> FilePath {
        let directory = path.appending(name)
        try Shell.run("mkdir '\(directory)'")
        return directory
    }
}
