import SystemPackage
import TestSupport

/// Real lvm2 and dmlayer have the same volume group, on three disks.
final class LVMTests {
    static let disks = ["/dev/ubda", "/dev/ubdb", "/dev/ubdc"]
    static let configuration: FilePath = "/run/etc-lvm/lvm.conf"
    /// Of every store here.
    static let options = "--storage-opt dm.basesize=300m --storage-opt dm.fs=ext4 --storage-opt dm.min_free_space=1%"
    /// A store on a volume group on the first disk.
    static let direct = "\(options) --storage-opt dm.directlvm_device=/dev/ubda"
    static let force = "--storage-opt dm.directlvm_device_force=true"

    let checks: Checks
    let shell: GuestShell
    let layer: Command

    init(_ checks: Checks, program: FilePath, lvm2: FilePath) throws {
        self.checks = checks
        shell = try GuestShell.lvm2(in: lvm2, configuration: "/run/etc-lvm")
        layer = Command(program: program, root: "/run/store", shell: shell)
    }

    func run() throws {
        try leavesAloneWhatIsInUse()
        try sharesItsGroup()
        try activatesInTurns()
        try extendsInTurns()
        try readsBesideDamage()
        try takesLVM2sGroup()
        try growsUnderLoad()
        try refusesGroupsOfOthers()
        try obeysTheSystemID()
        try keepsSecondAreas()
        try makesLVM2sFeatures()
        try tellsGroupsOfOneNameApart()
        try tellsCopiesApart()
        try checksAndRepairsLVM2sPools()
        try completesSetups()
        try watchesThePool()
    }

    /// The error messages of a command; empty when all is well.
    func quiet(_ command: String) throws -> String { try shell.complaints(command) }

    func devices() throws -> String { try shell.poolDevices() }

    /// The output of a command of lvm2, in one line.
    func report(_ command: String) throws -> String { try shell.output(command).joinedWords }

    /// The texts that are not empty, a line or more for each.
    func together(_ texts: String...) -> String { texts.filter { !$0.isEmpty }.joined(separator: "\n") }

    /// No command of lvm2's has anything to say against the group.
    func checkWithLVM2(_ when: String) throws {
        let said = try ["pvck /dev/ubda", "vgck docker", "pvs", "vgs", "lvs -a"].map { try quiet($0) }
        checks.check("lvm2 finds nothing wrong \(when)", said.filter { !$0.isEmpty }.joined(separator: "\n"), "")
    }

    func sizes() throws -> String {
        try report("lvs -a --noheadings --units s --nosuffix -o lv_name,lv_size docker | LC_ALL=C sort")
    }

    /// A figure of the pool, in bytes.
    func total(_ part: String) throws -> String {
        try shell.output("'\(layer.program)' --root '\(layer.root)' --json info | jq '.\(part).total'")
    }

    /// The disks are new again, and there is no store.
    func clearDisks() throws {
        for disk in Self.disks { try shell.run("dd if=/dev/zero of=\(disk) bs=1M count=2 conv=fsync status=none") }
        try shell.run("rm -rf '\(layer.root)'")
    }

    /// Whether a text is in another one exactly once, or in so many lines.
    func count(_ words: String, in text: String) -> Int {
        text.lines.count { !String($0).places(of: words).isEmpty }
    }
}
