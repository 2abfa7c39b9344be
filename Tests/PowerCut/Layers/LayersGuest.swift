import SystemPackage
import TestSupport

/// The programs that work on a store on loop files in the sandbox, and verify it.
enum LayersGuest {
    /// Works on a store on `/dev/ubda`, whose writes are logged on `/dev/ubdb`, until the kernel is killed.
    ///
    /// - Parameter tool: This program.
    static func work(_ tool: FilePath, events: String, expectations: String, seed: UInt64) throws {
        try Shell.run(
            """
            set -e
            dmsetup create powercut --table "0 $(blockdev --getsz /dev/ubda) log-writes /dev/ubda /dev/ubdb"
            mkdir /run/powercut
            mount /dev/mapper/powercut /run/powercut
            """)
        func start(_ arguments: String) throws -> ChildProcess {
            try ChildProcess(
                "exec '\(tool)' work /run/powercut/store '\(events)' powercut '\(expectations)' \(seed) \(arguments)")
        }
        // One process that shuts the store down now and then, or two that share it.
        let processes = try seed % 2 == 1 ? [start("1 6 alone")] : [start("1 3 together"), start("2 3 together")]
        try Patience.until(.seconds(3600)) { try processes.contains { try !$0.isRunning } }
        throw PowerCutError("the workload has ended")
    }

    /// Verifies the disks, whose expectations are in the directories.
    ///
    /// Each starts its store for the first time in this kernel.
    static func verify(program: FilePath, seed: UInt64, directories: [String]) throws {
        for (index, name) in directories.enumerated() {
            let directory = FilePath(name)
            let disk = try GuestDisk.path(index)
            var verification = Verification(
                disk: disk, mountPoint: FilePath("/run/powercut\(disk)"), program: program,
                Expectations(try TextFile.read(directory.appending("expectations"))), seed: seed + UInt64(index))
            let expectations: Expectations
            do {
                expectations = try verification.run()
            } catch {
                throw PowerCutError((verification.faults + ["\(error)"]).map { "  \($0)" }.joined(separator: "\n"))
            }
            // The next one must find the kernel as a fresh one.
            guard verification.faults.isEmpty else {
                throw PowerCutError(verification.faults.map { "  \($0)" }.joined(separator: "\n"))
            }
            try TextFile.write(expectations.text, to: directory.appending("verified"))
            say("whole: \(verification.layers) layers with \(verification.files) files")
        }
    }
}

/// The sandbox's disks.
enum GuestDisk {
    /// The path of a disk by its place, from 0 on.
    static func path(_ index: Int) throws -> String {
        guard (0..<16).contains(index) else { throw PowerCutError("there are no more than 16 disks") }
        return "/dev/ubd\(Character(UnicodeScalar(UInt8(ascii: "a") + UInt8(index))))"
    }
}
