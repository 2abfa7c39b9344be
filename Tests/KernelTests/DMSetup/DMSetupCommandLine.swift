import TestSupport

/// Makes command lines of dmsetup, right ones and wrong ones, the same for the same seed.
struct DMSetupCommandLine {
    private var random: SeededRandom

    init(seed: UInt64) {
        random = SeededRandom(seed: seed)
    }

    private static let names = ["a", "b", "c", "vg-lv", "'d e'", "nope"]
    private static let tables = [
        "0 10 zero", "0 100 error", "0 100 linear $A 0", "0 10 linear $B 8\n10 20 zero", "0 10", "0 10 nonsense", "",
        "0 10 zero\n20 10 zero", "# nothing", "0 64 linear /dev/mapper/a 0", "0 16 delay $A 0 1", "0 x zero",
    ]
    private static let fields = [
        "name", "uuid", "attr", "open", "segments", "minor", "devno", "vg_name", "lv_name", "tables_loaded",
        "suspended",
        "mangled_name", "device_count", "devnos_used", "blkdevname", "names_using_dev", "foo", "subsystem", "readonly",
    ]

    private mutating func one(_ choices: [String]) -> String { choices.randomElement(using: &random) ?? "" }

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    /// A text with a probability, else nothing.
    private mutating func maybe(_ percent: Int, _ text: String) -> String { chance(percent) ? " \(text)" : "" }

    private mutating func device() -> String {
        switch Int.random(in: 0..<12, using: &random) {
        case 0: "-u " + one(["U-1", "LVM-2", "nope"])
        case 1: "-j $major -m " + one(["0", "1", "2", "77"])
        case 2: ""
        default: one(Self.names)
        }
    }

    private mutating func devices() -> String { chance(25) ? "" : device() + maybe(25, one(Self.names)) }

    private mutating func table() -> String { "--table \"\(one(Self.tables))\"" }

    /// The next command line.
    mutating func next() -> String {
        let flags = maybe(4, one(["--foo", "-v", "-f", "--no", "-Z", "--checks", "--noopencount", "-o", "--help"]))
        // A line that suspends a device can make the next one wait for ever.
        return "timeout 10 dmsetup " + command() + flags
    }

    private mutating func command() -> String {
        switch Int.random(in: 0..<30, using: &random) {
        case 0...4:
            "create " + one(Self.names) + " " + table() + maybe(25, "-u " + one(["U-1", "LVM-2", "CRYPT-3"]))
                + maybe(10, "--readonly") + maybe(8, "--mode " + one(["600", "8", "0640"])) + maybe(8, "--uid 7")
                + maybe(8, "-j $major -m " + one(["0", "20"])) + maybe(5, "--addnodeoncreate")
                + maybe(8, "--readahead 128")
        case 5: "create " + one(Self.names) + " --notable" + maybe(20, "-u U-1")
        case 6...8: "remove " + devices() + maybe(15, "--force") + maybe(15, "--deferred")
        case 9: "suspend " + devices() + maybe(30, "--noflush") + maybe(30, "--nolockfs")
        case 10, 11: "resume " + devices()
        case 12, 13: one(["load", "reload"]) + " " + device() + " " + table() + maybe(10, "--readonly")
        case 14: one(["clear", "wipe_table"]) + " " + devices()
        case 15: "rename " + one(Self.names) + " " + one(Self.names + ["x/y"]) + maybe(20, "--setuuid")
        case 16: "message " + one(Self.names) + one([" 0 x", " 0 @stats_list", " y x", " 0", ""])
        case 17...19: "info " + devices() + maybe(20, "--inactive")
        default: query()
        }
    }

    private mutating func query() -> String {
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1: report()
        case 2: "status " + devices() + maybe(20, "--target " + one(["zero", "linear"])) + maybe(20, "--inactive")
        case 3: "table " + devices() + maybe(20, "--target zero") + maybe(20, "--inactive") + maybe(15, "--concise")
        case 4: "deps " + devices() + maybe(30, "-o " + one(["devno", "devname", "blkdevname", "foo"]))
        case 5:
            "ls" + maybe(30, "-o " + one(["devno", "devname", "foo"]))
                + maybe(20, "--target " + one(["zero", "error"]))
        case 6:
            "ls --tree"
                + maybe(
                    60,
                    "-o "
                        + one(["inverted", "compact", "uuid", "utf,open", "active,rw", "nodevice", "blkdevname", "x"]))
        case 7:
            one([
                "mknodes", "targets", "splitname vg-lv", "splitname a--b-c", "udevflags 0x430000", "help", "", "foo",
                "ls x",
            ])
        case 8: "measure " + devices()
        default:
            one([
                "setgeometry a 1 2 3 0", "setgeometry b 1 2", "wait nope", "target-version zero foo", "version x",
                "mangle",
            ])
        }
    }

    private mutating func report() -> String {
        let chosen = (0..<Int.random(in: 1...4, using: &random)).map { _ in
            Self.fields.randomElement(using: &random) ?? ""
        }
        return "info -c -o " + chosen.joined(separator: ",")
            + maybe(25, "-O " + one(["-name", "minor", "-open,name", "foo"]))
            + maybe(20, "--noheadings") + maybe(20, "--separator ,") + maybe(10, "--rows") + maybe(15, "--nameprefixes")
            + maybe(
                30,
                "-S '" + one(["name=a", "minor>0 && open=0", "!(uuid=~U)", "name=", "foo=1", "attr=~s || open>0"]) + "'"
            )
            + maybe(10, one(Self.names))
    }
}
