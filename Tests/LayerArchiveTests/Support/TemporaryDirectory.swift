import CShims
import Glibc
import LayerArchive
import SystemPackage

/// A directory that is there for the time of a test.
final class TemporaryDirectory: Sendable {
    let path: FilePath
    let descriptor: FileDescriptor

    /// Where temporary files are.
    static var parent: String { unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp" }

    init() throws {
        var template = Array("\(Self.parent)/layer-archive-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
        path = FilePath(platformString: template)
        descriptor = try FileDescriptor.open(path, .readOnly, options: [.directory, .closeOnExec])
    }

    deinit {
        try? descriptor.close()
        // Only others than root need permissions.
        if geteuid() != 0 { try? Program.run(["sh", "-c", "chmod -R u+rwx \"$1\" 2>/dev/null", "sh", path.string]) }
        try? Program.run(["rm", "-rf", path.string])
    }

    /// A directory with what a script of the shell makes in it.
    convenience init(_ script: String) throws {
        try self.init()
        try shell(script)
    }

    /// A copy with all that `cp` can keep.
    func copy() throws -> TemporaryDirectory {
        let copy = try TemporaryDirectory()
        try Program.run(["cp", "-a", path.string + "/.", copy.path.string])
        return copy
    }

    func shell(_ script: String) throws {
        try Program.shell(script, in: path)
    }

    /// Everything about the tree as GNU tar sees it, always in the same order.
    func listing() throws -> Listing {
        Listing(
            archive: try Program.output([
                "tar", "-C", path.string, "--sort=name", "--format=pax", "--numeric-owner", "--xattrs",
                "--xattrs-include=*", "--pax-option=exthdr.name=x,delete=atime,delete=ctime", "-cf", "-", ".",
            ]))
    }

    /// A tree as an archive of GNU tar, which shows as a list.
    struct Listing: Equatable, CustomStringConvertible {
        let archive: [UInt8]

        var description: String {
            let options = ["--numeric-owner", "--full-time", "--xattrs", "--xattrs-include=*"]
            let list = try? Program.output(["tar", "-tvvf", "-"] + options, input: archive)
            return "\n" + String(decoding: list ?? [], as: UTF8.self)
        }
    }

    /// The paths below the directory, sorted, as `find` prints them.
    func names() throws -> [String] {
        let names = try Program.output(["find", path.string, "-mindepth", "1", "-printf", "%P\\0"])
        return names.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }.sorted()
    }

    func contents(of name: String) throws -> [UInt8] {
        let file = try FileDescriptor.open(path.appending(name), .readOnly, options: .closeOnExec)
        defer { try? file.close() }
        return try file.readToEnd()
    }

    /// Whether files here can have extended attributes of users; on old kernels, those in memory cannot.
    var supportsAttributes: Bool {
        (try? setAttribute("user.test", [1], of: ".")) != nil
    }

    func setAttribute(_ name: String, _ value: [UInt8], of file: String) throws {
        let answer = unsafe lsetxattr(path.appending(file).string, name, value, value.count, 0)
        guard answer == 0 else { throw Errno(rawValue: errno) }
    }

    func attribute(_ name: String, of file: String) -> [UInt8]? {
        var value = [UInt8](repeating: 0, count: 1024)
        let count = unsafe lgetxattr(path.appending(file).string, name, &value, value.count)
        return count < 0 ? nil : Array(value.prefix(count))
    }
}
