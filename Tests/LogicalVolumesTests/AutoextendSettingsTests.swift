import SystemPackage
import TestSupport
import Testing

@testable import LogicalVolumes

/// When a pool is extended: the profile and the configuration of lvm2.
struct AutoextendSettingsTests {
    let scratch: ScratchDirectory
    let settings = AutoextendSettings(threshold: 70, percent: 30)

    init() throws {
        scratch = try ScratchDirectory()
        try Shell.run("mkdir '\(scratch.path)/profile'")
    }

    private func profile() throws -> String { try Shell.run("cat '\(scratch.path)/profile/p.profile'") }

    @Test func writesAProfileAndReadsIt() throws {
        try settings.requireNoOther(profile: "p", in: scratch.path)
        try settings.write(profile: "p", in: scratch.path)
        #expect(try AutoextendSettings.of(profile: "p", in: scratch.path) == settings)
        try Shell.run("echo 'activation { thin_pool_autoextend_threshold = 90 }' > '\(scratch.path)/lvm.conf'")
        #expect(try AutoextendSettings.of(profile: "p", in: scratch.path) == settings)
        #expect(try AutoextendSettings.of(profile: nil, in: scratch.path).threshold == 90)
        // A setup that was interrupted is repeated.
        try settings.requireNoOther(profile: "p", in: scratch.path)
        settings.remove(profile: "p", in: scratch.path)
        #expect(try Shell.run("ls '\(scratch.path)/profile'") == "")
    }

    @Test func leavesAProfileThatWasThere() throws {
        let text = "# by hand\nactivation {\n\tthin_pool_autoextend_threshold = 60\n}"
        try Shell.run("printf '%s' '\(text)' > '\(scratch.path)/profile/p.profile'")
        #expect {
            try settings.requireNoOther(profile: "p", in: scratch.path)
        } throws: {
            ($0 as? LogicalVolumeError)?.code == .refusedChange
                && "\($0)".contains("with the threshold 60 and the percentage 20 instead of 70 and 30")
        }
        // One that says the same is used as it is, and stays when the setup is taken back.
        let same = AutoextendSettings(threshold: 60, percent: 20)
        try same.requireNoOther(profile: "p", in: scratch.path)
        try same.write(profile: "p", in: scratch.path)
        same.remove(profile: "p", in: scratch.path)
        #expect(try profile() == text)
    }

    @Test(arguments: ["lvm.conf", "lvmlocal.conf", "profile/p.profile"])
    func takesNoFileForEmptyThatCannotBeUnderstood(name: String) throws {
        try Shell.run("echo 'activation { thin_pool' > '\(scratch.path)/\(name)'")
        #expect { try AutoextendSettings.of(profile: "p", in: scratch.path) } throws: {
            "\($0)".contains("\(name) must be corrected")
        }
        try Shell.run("rm '\(scratch.path)/\(name)' && mkdir '\(scratch.path)/\(name)'")
        #expect { try AutoextendSettings.of(profile: "p", in: scratch.path) } throws: {
            "\($0)".contains("cannot read lvm2's configuration \(scratch.path)/\(name)")
        }
    }

    /// lvm2 takes 50 for less.
    @Test func comparesWhatIsInForce() throws {
        let low = AutoextendSettings(threshold: 10, percent: 20)
        try low.write(profile: "p", in: scratch.path)
        try low.requireNoOther(profile: "p", in: scratch.path)
    }
}
