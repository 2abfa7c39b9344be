internal import SystemPackage

extension PoolReport {
    /// The steps that rescue the files that only the pool still has.
    static func rescue(_ lost: [LostPoolFile], program: String) -> [PoolProblem.Step] {
        [.init("Unmount every layer, so that nothing changes meanwhile.", "\(program) unmount ID")]
            + lost.map { file in
                // Not through the page cache of the loop device, which may be older than what the pool has written.
                .init(
                    file.isReplaced
                        ? "Unless the file there is a copy that was made so, move it away, and copy what the pool has."
                        : "Copy what the pool has; the disk must have room for it.",
                    "dd if=\(file.device) of=\(quoted(file.path.string)) bs=1M iflag=direct conv=sparse,fsync")
            } + [.init("Take the pool down; the next command activates it on the copy.", "\(program) shutdown --force")]
    }
}
