import SystemPackage
import TestSupport

extension LVMTests {
    private static let figures: FilePath = "/run/pool.prom"
    private static let hookLog: FilePath = "/run/hook.log"

    private func told() throws -> Int {
        guard (try? Stat(Self.hookLog)) != nil else { return 0 }
        return try TextFile.read(Self.hookLog).lines.count { $0 == "extended docker-thinpool" }
    }

    private func figure() throws -> String {
        let line = try TextFile.read(Self.figures).lines.first { $0.hasPrefix("dmlayer_pool_data_size_bytes") }
        return line?.split(separator: " ").last.map(String.init) ?? ""
    }

    /// Waits for something that the next check looks at.
    private func settle(_ limit: Duration, _ condition: () throws -> Bool) throws {
        do { try Patience.until(limit, condition) } catch is Patience.TimedOut {}
    }

    /// A writer fills the pool at full speed while it is watched.
    func watchesThePool() throws {
        checks.check(
            "a pool with free extents behind it",
            try layer("\(Self.direct) --storage-opt dm.thinp_percent=20 --storage-opt dm.thinp_metapercent=1 init"),
            "")
        try shell.run("printf '#!/bin/sh\\necho \"$1 $2\" >>/run/hook.log\\n' > /run/hook && chmod +x /run/hook")
        let log = MonitorLog(path: "/run/monitor.log")
        let monitor = try layer.start(
            "--json pool monitor --metrics \(Self.figures) --hook /run/hook", log: log.path)
        try growsBehindAWriter(log)
        try runsOutOfExtents(log)
        try layer("unmount big")
        try layer("remove big")
        try layer("shutdown")
        try layer("pool deactivate")
        try settle(.seconds(20)) { try log.count("inactive") > 0 }
        checks.check("the monitor survives the end of the pool", try log.lines().last?.event ?? "", "inactive")
        try layer("pool activate")
        try settle(.seconds(20)) { try log.count("watching") == 2 }
        checks.check("and watches the next one", "\(try log.count("watching"))", "2")
        try monitor.end()
    }

    private func growsBehindAWriter(_ log: MonitorLog) throws {
        try layer("create big --size 3g")
        let file = try layer("mount big") + "/file"
        let (status, _) = try Shell.runForStatus("dd if=/dev/zero of='\(file)' bs=1M count=800 conv=fsync status=none")
        checks.check("the writer never finds the pool full", "\(status)", "0")
        try settle(.seconds(10)) { try log.count("extended") > 2 }
        checks.check(
            "the pool was extended and never out of space",
            "\(try log.count("extended") > 2) \(try log.count("mode"))", "true 0")
        say(try log.messages("extended").joined(separator: "\n"))
        // The monitor works beside these checks. Below 80 % it extends no more, but its hook and its figures may be late.
        let pool = PoolStatus(name: "docker-thinpool")
        try settle(.seconds(60)) {
            try pool.isBelow() && figure() == total("data") && told() == log.count("extended")
        }
        checks.check("the hook was told", "\(try told())", "\(try log.count("extended"))")
        checks.check("the figures are the pool's", try figure(), try total("data"))
        try checkWithLVM2("after automatic extensions")
        try shell.run("rm '\(file)'")
        try layer("unmount big")
    }

    private func runsOutOfExtents(_ log: MonitorLog) throws {
        let file = try layer("mount big") + "/file"
        _ = try Shell.runForStatus("dd if=/dev/zero of='\(file)' bs=1M count=1920 conv=fsync status=none")
        try settle(.seconds(20)) {
            try log.count("not_extended") > 0 && !log.messages("warning").filter { $0.contains("95 %") }.isEmpty
        }
        checks.check(
            "without extents it warns at each level", Set(try log.warnings("")).sorted().joined(separator: " "),
            "more than 80 % more than 90 % more than 95 %")
        checks.check("and says why it does not extend", "\(try log.count("not_extended"))", "1")
        let extended = try log.count("extended")
        _ = try quiet("vgextend docker /dev/ubdb")
        try settle(.seconds(30)) { try log.count("extended") > extended }
        checks.check("the extents that lvm2 adds are used", try log.count("extended") > extended)
        checks.check(
            "so are those of a device that we add", count("more for data", in: try layer("pool extend /dev/ubdc")) == 1)
    }
}
