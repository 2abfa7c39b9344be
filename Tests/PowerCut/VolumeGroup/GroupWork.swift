import SystemCalls
import SystemPackage
import TestSupport

/// Makes a pool in a volume group and extends it in every way, on a disk whose writes are logged.
struct GroupWork {
    private static let monitorLog: FilePath = "/run/monitor.log"

    private let disk: GroupDisk
    private var random: SeededRandom

    /// Works on `/dev/ubda`, with the log on `/dev/ubdb`.
    init(program: FilePath, lvm2: FilePath, seed: UInt64) throws {
        try Shell.run(
            "dmsetup create powercut --table \"0 $(blockdev --getsz /dev/ubda) log-writes /dev/ubda /dev/ubdb\"")
        disk = try GroupDisk("/dev/mapper/powercut", program: program, lvm2: lvm2)
        random = SeededRandom(seed: seed)
        try Shell.run("sync")
    }

    mutating func run() throws {
        try step("init") { try disk.initialize() }
        try step("keep-1") { try disk.keep("keep-1") }
        let (percent, size) = (Int.random(in: 10..<40, using: &random), Int.random(in: 70..<110, using: &random))
        try step("watched") { try fill(megabytes: size, percent: percent) }
        try step("keep-2") { try disk.keep("keep-2") }
        if Bool.random(using: &random) {
            try step("metadata") { try disk.layer("pool extend --metadata 4m") }
            try step("extend") { try extend() }
        } else {
            try step("extend") { try extend("--metadata 4m") }
        }
        try step("keep-3") { try disk.keep("keep-3") }
        try disk.layer("shutdown")
        try disk.layer("pool deactivate")
        try disk.detach()
        // This logs what has not been logged yet.
        try Shell.run("dmsetup remove powercut")
    }

    /// Does one step, and notes its begin and its end between the writes.
    private func step(_ name: String, _ body: () throws -> Void) throws {
        try Shell.run("dmsetup message powercut 0 mark 'begin:\(name)'")
        try body()
        try Shell.run("dmsetup message powercut 0 mark 'end:\(name)'")
    }

    /// Fills the pool while the monitor makes it larger.
    private func fill(megabytes: Int, percent: Int) throws {
        let monitor = try disk.startMonitor("--percent \(percent)", log: Self.monitorLog)
        try disk.layer("create big --size 400m")
        let file = try disk.layer("mount big") + "/file"
        let (status, output) = try Shell.runForStatus(
            "dd if=/dev/zero of='\(file)' bs=1M count=\(megabytes) conv=fsync status=none")
        try disk.layer("unmount big")
        // The last extension may still be under way.
        pause(for: .milliseconds(500))
        try monitor.end()
        let said = try TextFile.read(Self.monitorLog)
        say(said)
        guard said.split(separator: "\n").contains(where: { $0.hasPrefix("extended") }) else {
            throw PowerCutError("the monitor has not extended the pool")
        }
        guard status == 0 else { throw PowerCutError("the writer found the pool full: \(output)") }
    }

    /// Adds the second disk to the group and to the pool while a layer is written.
    private func extend(_ options: String = "") throws {
        let file = try disk.layer("mount big") + "/file"
        let writer = try ChildProcess(
            "exec dd if=/dev/zero of='\(file)' bs=1M count=30 conv=fsync,notrunc status=none")
        try disk.layer("pool extend \(options) \(GroupDisk.second)")
        guard try writer.wait(.seconds(120)) == 0 else { throw PowerCutError("the writer failed during an extension") }
        try disk.layer("unmount big")
    }
}
