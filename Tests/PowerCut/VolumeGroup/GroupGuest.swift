import SystemPackage
import TestSupport

/// Verifies volume groups in the sandbox.
enum GroupGuest {
    /// Verifies the disks, whose expectations are in the directories.
    static func verify(program: FilePath, lvm2: FilePath, seed: UInt64, directories: [String]) throws {
        for (index, name) in directories.enumerated() {
            let directory = FilePath(name)
            let disk = try GuestDisk.path(index)
            var verification = try GroupVerification(
                disk, program: program, lvm2: lvm2,
                expectations: TextFile.read(directory.appending("expectations")), seed: seed + UInt64(index))
            var faults: [String]
            do {
                try verification.run()
                faults = verification.faults
            } catch {
                faults = verification.faults + ["the verification itself ended early: \(error)"]
            }
            for line in verification.remarks + faults { say("  \(line)") }
            say("\(disk), \(verification.steps): \(faults.count) faults")
            // The next one must find the kernel as a fresh one.
            guard faults.isEmpty else { throw PowerCutError("\(disk) has faults") }
            try TextFile.write("", to: directory.appending("verified"))
        }
    }
}
