internal import BlockDevices
internal import SystemCalls
internal import SystemPackage

/// A process that has a lock of the store, for the message to a caller that waited for the lock.
struct LockUser: Hashable, CustomStringConvertible {
    let process: Int
    let name: String

    var description: String { "\(name) (process \(process))" }

    /// The processes that have a byte of a file locked.
    ///
    /// `/proc/locks` names no process for open-file-description locks, but `/proc/<pid>/fdinfo` lists those of each open
    /// file. Processes that this one may not examine are left out, and so is this process.
    static func holders(of path: FilePath, offset: Int64) -> [LockUser] {
        // The answer completes a message. Without it the message still says what happened.
        guard let file = try? Stat(path), let processes = try? DirectoryListing.names(in: "/proc") else { return [] }
        return processes.compactMap { Int($0.string) }.filter { $0 != Int(getpid()) }.sorted().compactMap { process in
            let directory = FilePath("/proc/\(process)")
            // A process that ended, or may not be examined, is left out.
            guard let descriptors = try? DirectoryListing.names(in: directory.appending("fd")),
                descriptors.contains(where: { number in
                    // Only a file with such a lock is examined: one of another machine may be out of reach, and whoever
                    // examines it then waits for ever.
                    guard has(directory.appending("fdinfo").appending(number), lockedByteAt: offset) else {
                        return false
                    }
                    // A descriptor that was closed meanwhile is left out.
                    return (try? Stat(directory.appending("fd").appending(number)))?.isSameFile(as: file) == true
                })
            else { return nil }
            // A process that has just ended has no name.
            let name = (try? PseudoFile.readLine(directory.appending("comm"))) ?? "a process"
            return LockUser(process: process, name: name)
        }
    }

    /// Reads lines such as `lock:	1: OFDLCK  ADVISORY  WRITE -1 fe:01:1234 0 0`; the last two words are the range.
    private static func has(_ information: FilePath, lockedByteAt offset: Int64) -> Bool {
        // A descriptor that was closed meanwhile has no locks.
        let content = (try? PseudoFile.read(information)) ?? []
        return String(decoding: content, as: UTF8.self).split(separator: "\n").contains { line in
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.first == "lock:", words.contains("OFDLCK"), words.count > 3,
                let start = Int64(words[words.count - 2])
            else { return false }
            let end = Int64(words[words.count - 1]) ?? .max
            return start <= offset && offset <= end
        }
    }
}
