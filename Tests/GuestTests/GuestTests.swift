import Glibc
import SystemPackage
import TestSupport

/// The checks of `Tests/*-test`, in the sandbox.
///
/// The last line of the output is “N passed, N failed”.
@main
enum GuestTests {
    private static let usage = """
        usage: GuestTests monitor DMLAYER
               GuestTests lvm DMLAYER LVM2
               GuestTests docker-parity DMLAYER DOCKER
               GuestTests docker DMLAYER DOCKER LVM2
               GuestTests transport DMLAYER CLIENT
               GuestTests docker-snapshotter DMLAYER DOCKER
               GuestTests docker-images DMLAYER DOCKER
               GuestTests containerd DMLAYER CONTAINERD VERSION PROMETHEUS [SUITE]
               GuestTests adoption DMLAYER CONTAINERD VERSION FILESYSTEM
               GuestTests dmsetup-users DMSETUP CONTAINERD
               GuestTests static BINARY LIMIT
        """

    static func main() {
        let words = Array(CommandLine.arguments.dropFirst())
        let checks = Checks()
        do {
            switch (words.first, words.count) {
            case ("monitor", 2): try MonitorTests(checks, program: FilePath(words[1])).run()
            case ("lvm", 3): try LVMTests(checks, program: FilePath(words[1]), lvm2: FilePath(words[2])).run()
            case ("docker-parity", 3):
                try DockerParityTests(checks, program: FilePath(words[1]), docker: FilePath(words[2])).run()
            case ("docker", 4):
                let (program, docker, lvm2) = (FilePath(words[1]), FilePath(words[2]), FilePath(words[3]))
                try DockerTests(checks, program: program, docker: docker, lvm2: lvm2).run()
            case ("transport", 3):
                try TransportTests(checks, program: FilePath(words[1]), client: FilePath(words[2])).run()
            case ("docker-snapshotter", 3):
                try DockerSnapshotterTests(checks, program: FilePath(words[1]), docker: FilePath(words[2])).run()
            case ("docker-images", 3):
                try DockerImagesTests(checks, program: FilePath(words[1]), docker: FilePath(words[2])).run()
            case ("containerd", 5...):
                let places = ContainerdTests.Places(
                    containerd: FilePath(words[2]), version: words[3], prometheus: FilePath(words[4]),
                    suite: words.count > 5 ? FilePath(words[5]) : nil)
                try ContainerdTests(checks, program: FilePath(words[1]), places).run()
            case ("adoption", 5):
                try AdoptionTests(
                    checks, program: FilePath(words[1]), containerd: FilePath(words[2]), version: words[3],
                    filesystem: words[4]
                ).run()
            case ("dmsetup-users", 3):
                try DMSetupUsersTests(checks, program: FilePath(words[1]), containerd: FilePath(words[2])).run()
            case ("static", 3):
                guard let limit = Int(words[2]) else { throw CheckError("“\(words[2])” is no number of bytes") }
                try StaticTests(checks, binary: FilePath(words[1])).run(limit: limit)
            case ("static-guest", 2): try StaticTests(checks, binary: FilePath(words[1])).runInEmptyRoot()
            default:
                say(usage)
                exit(64)
            }
        } catch {
            checks.fail("the tests ended early: \(error)")
        }
        say("\(checks.passed) passed, \(checks.failed) failed")
        exit(checks.failed == 0 ? 0 : 1)
    }
}
