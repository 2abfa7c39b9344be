import TestSupport
import Testing

/// `dmlayer dm` where it needs no device: wrong arguments, output that cannot be written, and no root.
@Suite struct DMLayerUsageTests {
    @Test(arguments: [
        "dm create", "dm create a/b --table '0 10 zero'", "dm create x --no-table --table '0 10 zero'", "dm info a b",
        "dm info x --uuid y", "dm remove", "dm remove --number 254", "dm wait x y", "dm wait x --timeout never",
        "dm message x", "dm message x y z", "dm rename x", "dm rename x y --set-uuid z", "dm no-such-command",
        "dm suspend x --flush", "no-such-group", "dm events --timeout -1",
    ])
    func endsWithStatus64WhenItIsCalledInAWrongWay(arguments: String) throws {
        let (status, output) = try DMLayerCommand.runForStatus("\(arguments) 2>/dev/null")
        #expect(status == 64)
        #expect(output.isEmpty)
    }

    @Test func failsWhenTheResultCannotBePrinted() throws {
        let (status, output) = try DMLayerCommand.runForStatus("dm version 2>&1 > /dev/full")
        #expect(status == 1)
        #expect(output.hasPrefix("dmlayer: cannot write the result to standard output: No space left"))
    }

    /// The advice is there where the error is another one than the device mapper's, too.
    @Test func saysThatRootCanDoIt() throws {
        let scratch = try ScratchDirectory()
        try Shell.run("mkdir -m 700 '\(scratch.path)/root' && chmod 755 '\(scratch.path)'")
        let (status, output) = try Shell.runForStatus(
            "setpriv --reuid=65534 --clear-groups '\(DMLayerCommand.path)' --root '\(scratch.path)/root' list")
        #expect(status == 1)
        #expect(output == "dmlayer: cannot open \(scratch.path)/root: Permission denied; run it as root")
    }

    @Test func needsRoot() throws {
        let (status, output) = try Shell.runForStatus("setpriv --reuid=65534 '\(DMLayerCommand.path)' dm version")
        #expect(status == 1)
        #expect(
            output == "dmlayer: cannot open /dev/mapper/control: Permission denied (errno 13): "
                + "device mapper commands need root; run it as root")
    }
}
