internal import SystemCalls
internal import SystemPackage

/// A path within a root, walked one part after the other: for paths longer than a system call takes, and for those whose
/// directories have to be made on the way.
///
/// The kernel's own walk (`RESOLVE_IN_ROOT`) is the same, and faster. Here as there, `..` and absolute symbolic links stay
/// within the root, whatever is renamed meanwhile: `..` begins again at the root, with the names that led there.
struct RootWalk {
    /// As many as the kernel follows.
    private static let mostLinks = 40

    /// A part of the path that is still to be walked.
    private struct Part {
        let name: ArraySlice<UInt8>
        /// Whether it comes from the target of a symbolic link, and so is not the archive's to make.
        let isOfLink: Bool
    }

    private let root: FileDescriptor
    /// The parts that are still to come, the next one last.
    private var rest: [Part] = []
    /// The names that lead from the root to ``current``, none of which is a symbolic link.
    private var names: [ArraySlice<UInt8>] = []
    /// The directory that was reached; `nil` for the root.
    private var current: OpenDirectory?
    private var linkCount = 0
    /// The inodes of the directories that were made.
    private(set) var madeInodes: Set<UInt64> = []

    init(_ path: [UInt8], in root: FileDescriptor) {
        self.root = root
        push(path, isOfLink: false)
    }

    /// Walks to the end of the path.
    ///
    /// - Parameter making: Whether directories that are missing are made.
    /// - Returns: The directory, or `nil` when it is the root.
    mutating func run(making: Bool) throws(Errno) -> OpenDirectory? {
        while let part = rest.popLast() {
            if part.name.elementsEqual("..".utf8) {
                try goUp()
            } else if !part.name.elementsEqual(".".utf8) {
                try enter(part, making: making)
            }
        }
        return current
    }

    private var here: FileDescriptor { current?.descriptor ?? root }

    private mutating func push(_ path: [UInt8], isOfLink: Bool) {
        let parts = path.split(separator: UInt8(ascii: "/"))
        rest += parts.reversed().map { Part(name: $0, isOfLink: isOfLink) }
    }

    private mutating func goUp() throws(Errno) {
        _ = names.popLast()
        current = nil
        guard !names.isEmpty else { return }
        let path = names.joined(separator: CollectionOfOne(UInt8(ascii: "/")))
        current = try OpenDirectory(descending: Array(path), from: root, .oneFileSystem)
    }

    private mutating func enter(_ part: Part, making: Bool) throws(Errno) {
        do {
            try open(part.name)
        } catch .noSuchFileOrDirectory where making && !part.isOfLink {
            try make(part.name)
        } catch .notDirectory {
            try follow(part.name)
        } catch {
            throw error
        }
    }

    private mutating func make(_ name: ArraySlice<UInt8>) throws(Errno) {
        var isMade = true
        do {
            try systemCall { unsafe FileName(name).withCString { name in unsafe mkdirat(here.rawValue, name, 0o755) } }
        } catch {
            // A process of the layer may have made the directory meanwhile.
            guard error == .fileExists else { throw error }
            isMade = false
        }
        try open(name)
        if isMade { madeInodes.insert(try FileStatus(of: here).inode) }
    }

    private mutating func open(_ name: ArraySlice<UInt8>) throws(Errno) {
        current = try OpenDirectory(name, from: here, [.noSymbolicLinks, .oneFileSystem], forReading: false)
        names.append(name)
    }

    /// Puts the target of a symbolic link in front of what is still to be walked.
    private mutating func follow(_ name: ArraySlice<UInt8>) throws(Errno) {
        linkCount += 1
        guard linkCount <= Self.mostLinks else { throw .tooManySymbolicLinkLevels }
        let target: [UInt8]
        do {
            target = try FileName(name).linkTarget(in: here, guess: 256)
        } catch .invalidArgument {
            // It is no link either.
            throw .notDirectory
        } catch {
            throw error
        }
        if target.first == UInt8(ascii: "/") {
            names = []
            current = nil
        }
        push(target, isOfLink: true)
    }
}
