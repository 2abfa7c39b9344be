import Glibc
import LayerArchive
import Synchronization
import SystemPackage
import TestSupport
import Testing

/// Processes that change a layer while an archive is unpacked onto it, as they can when the layer is mounted.
///
/// `RACE_SECONDS` in the environment makes the tests longer.
@Suite(.serialized) struct ConcurrentChangeTests {
    private static var duration: Duration {
        .seconds(unsafe getenv("RACE_SECONDS").flatMap { unsafe Int(String(cString: $0)) } ?? 1)
    }

    /// A tree to unpack into, and files beside it that must stay as they are.
    private final class Arena: Sendable {
        let outside: TemporaryDirectory
        let root: FileDescriptor
        private let before: String
        private let isOver = Mutex(false)
        private let swaps = Mutex(0)

        init() throws {
            outside = try TemporaryDirectory(
                """
                mkdir -p root/deep/sub victim/directory/sub
                echo secret >victim/file; chmod 600 victim/file; chmod 700 victim/directory
                echo inner >victim/directory/inner; echo sub >victim/directory/sub/inner
                find victim -exec touch -d @1 {} +
                """)
            root = try FileDescriptor.open(
                outside.path.appending("root"), .readOnly, options: [.directory, .closeOnExec])
            before = try Self.listing(outside)
        }

        deinit { try? root.close() }

        /// Everything about the files outside; whatever is done to a file changes the time of its status, too.
        private static func listing(_ outside: TemporaryDirectory) throws -> String {
            let format = "%p %y %m %U %G %s %n %T@ %C@\\n"
            let path = outside.path.appending("victim").string
            let listing = try Program.output(["find", path, "-printf", format])
            return String(decoding: listing, as: UTF8.self).split(separator: "\n").sorted().joined(separator: "\n")
        }

        var isUnchanged: Bool {
            get throws { try Self.listing(outside) == before }
        }

        var swapCount: Int { swaps.withLock { $0 } }

        func end() { isOver.withLock { $0 = true } }

        /// Puts a link to `victim` at `name` in the tree, again and again, in place of what is there.
        func keepSwapping(_ name: String, for victim: String) {
            let path = outside.path.appending("root").appending(name).string
            let link = "\(path).link"
            let target = outside.path.appending("victim").appending(victim).string
            var count = 0
            while !isOver.withLock({ $0 }) {
                _ = unsafe symlink(target, link)
                if unsafe rename(link, path) != 0 {
                    // A directory is in the way, which a link cannot replace.
                    _ = unsafe rename(path, "\(path).gone-\(count % 8)")
                    _ = unsafe rename(link, path)
                }
                count += 1
                sched_yield()
            }
            swaps.withLock { $0 += count }
        }
    }

    private static func entries() -> [(TarEntry, String)] {
        let isRoot = geteuid() == 0
        var entries: [(TarEntry, String)] = [
            (.make(.directory, "d", permissions: 0o777), ""), (.make(.file, "x", permissions: 0o777), "contents"),
            (.make(.file, "d/x", permissions: 0o777), "contents"), (.make(.fifo, "f", permissions: 0o777), ""),
            (.make(.symbolicLink, "l", to: "x"), ""), (.make(.hardLink, "h", to: "x"), ""),
            (.make(.directory, "deep", permissions: 0o777), ""), (.make(.directory, "deep/sub"), ""),
            (.make(.file, "deep/sub/x", permissions: 0o777), "contents"), (.make(.hardLink, "deep/h", to: "d/x"), ""),
            (.make(.file, ".wh.w"), ""), (.make(.file, "opaque/x"), ""), (.make(.file, "opaque/.wh..wh..opq"), ""),
            (.make(.directory, "t"), ""), (.make(.directory, "t/sub"), ""), (.make(.file, "t/sub/inner"), "x"),
            (.make(.file, ".wh.t"), ""), (.make(.directory, "u"), ""), (.make(.directory, "u/sub/deep"), ""),
            (.make(.file, "u/sub/deep/inner"), "x"), (.make(.file, "u/x"), "x"), (.make(.file, ".wh.u"), ""),
        ]
        if isRoot {
            entries.append((.make(.characterDevice, "c", permissions: 0o777), ""))
            for index in entries.indices where entries[index].0.kind != .hardLink {
                (entries[index].0.userID, entries[index].0.groupID) = (12_345, 12_345)
            }
        }
        for index in entries.indices where entries[index].0.kind == .file || entries[index].0.kind == .directory {
            entries[index].0.attributes = [ExtendedAttribute(name: Array("user.test".utf8), value: [1])]
        }
        return entries
    }

    /// Unpacks `entries` until the time is over, while other threads put links in the place of `names`.
    private static func race(
        _ entries: [(TarEntry, String)], swapping names: [(name: String, victim: String)]
    ) throws -> (arena: Arena, unpacked: Int, refused: Set<String>) {
        let arena = try Arena()
        let archive = try Archive(entries).bytes
        let duration = duration
        let results = onThreads(names.count + 1) { index -> (unpacked: Int, refused: Set<String>) in
            guard index == names.count else {
                arena.keepSwapping(names[index].name, for: names[index].victim)
                return (0, [])
            }
            defer { arena.end() }
            var result = (unpacked: 0, refused: Set<String>())
            let end = ContinuousClock.now.advanced(by: duration)
            while ContinuousClock.now < end {
                do {
                    try LayerExtraction().extract(Archive(archive).input(), into: arena.root)
                    result.unpacked += 1
                } catch let error as LayerArchiveError {
                    result.refused.insert("\(error.code) \(error.errno?.description ?? "")")
                }
            }
            return result
        }
        let result = try results[names.count].get()
        return (arena, result.unpacked, result.refused)
    }

    /// One kind of file at a time, so that the races of each are met often.
    @Test(arguments: [TarEntry.Kind.file, .fifo, .symbolicLink, .hardLink, .characterDevice, .directory])
    func linksInPlaceOfNewFiles(kind: TarEntry.Kind) throws {
        guard kind != .characterDevice || geteuid() == 0 else { return }
        var entry = TarEntry.make(kind, "x", to: kind == .hardLink ? "h" : "y", permissions: 0o777)
        entry.modificationTime = Timestamp(seconds: 12_345)
        if geteuid() == 0 { (entry.userID, entry.groupID) = (12_345, 12_345) }
        if kind == .file || kind == .directory {
            entry.attributes = [ExtendedAttribute(name: Array("user.test".utf8), value: [1])]
        }
        let first = TarEntry.make(.file, "h")
        let (arena, unpacked, refused) = try Self.race(
            [(first, "h"), (entry, "")], swapping: [("x", kind == .directory ? "directory" : "file"), ("h", "file")])
        #expect(try arena.isUnchanged, "\(unpacked) times unpacked, \(arena.swapCount) swaps, \(refused)")
        #expect(arena.swapCount > 100)
    }

    /// Everything that an archive can do, while files and directories at all places become links.
    @Test func linksInPlaceOfEverything() throws {
        // The directory of a name that is swapped stays what it is: through a link, the attack itself would change files.
        let names = [
            ("x", "file"), ("d", "directory"), ("f", "file"), ("l", "file"), ("h", "file"), ("w", "directory"),
            ("deep/sub", "directory"), ("opaque", "directory"), ("t", "directory"), ("u/sub", "directory"),
            ("c", "file"), ("u/x", "file"), ("deep/h", "file"),
        ]
        let (arena, unpacked, refused) = try Self.race(
            Self.entries(), swapping: names.map { (name: $0.0, victim: $0.1) })
        #expect(try arena.isUnchanged, "\(unpacked) times unpacked, \(arena.swapCount) swaps, \(refused)")
        #expect(arena.swapCount > 100)
    }
}
