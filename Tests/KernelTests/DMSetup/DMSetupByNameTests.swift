import Testing

/// Each command and option of dmsetup, given to it and to dmlayer by that name.
@Suite(.serialized) struct DMSetupByNameTests {
    let comparison: DMSetupComparison

    init() throws {
        comparison = try DMSetupComparison()
    }

    /// Four devices, two of which stand on the others.
    private static let devices = [
        "dmsetup create k --table '0 10 zero' -j $major -m 33 --readonly --uid 7 --gid 9 --mode 640",
        "dmsetup create 'c d' --table \"0 100 linear $A 0\"",
        "dmsetup create vg-lv -u LVM-xyz --table \"0 100 linear $A 0\"",
        "dmsetup create top -u CRYPT-1 --table '0 10 linear /dev/mapper/k 0\n10 100 linear /dev/mapper/vg-lv 0'",
    ]

    @Test func livesThroughTheLifeOfADevice() throws {
        try comparison.expectSame([
            "dmsetup ls", "dmsetup ls --tree", "dmsetup info", "dmsetup info -c", "dmsetup table", "dmsetup status",
            "dmsetup deps", "dmsetup targets", "dmsetup target-version linear", "dmsetup target-version foo",
            "dmsetup version | tail -1", "dmsetup -v version | tail -1", "dmsetup --version | tail -1",
            "dmsetup create a --table '0 100 zero'", "dmsetup create b -u U-b --table '0 100 linear /dev/mapper/a 0'",
            "dmsetup ls", "dmsetup info", "dmsetup info a", "dmsetup table", "dmsetup table b", "dmsetup status",
            "dmsetup status b", "dmsetup deps", "dmsetup deps b", "dmsetup info -u U-b", "dmsetup info -u U-b a",
            "dmsetup remove a", "dmsetup suspend b", "dmsetup info b", "dmsetup load b --table '0 200 zero'",
            "dmsetup info b", "dmsetup table b --inactive", "dmsetup table --inactive", "dmsetup info b --inactive",
            "dmsetup info -c --inactive", "dmsetup deps b --inactive", "dmsetup status b --inactive",
            "dmsetup resume b",
            "dmsetup table b", "dmsetup reload b --table '0 1 zero'", "dmsetup clear b", "dmsetup info b",
            "dmsetup wait b 5", "timeout 1 dmsetup wait b", "dmsetup wait b 7 -v",
            "dmsetup suspend --noflush --nolockfs b",
            "dmsetup resume --noflush --nolockfs b", "dmsetup message a 0 x y",
            "dmsetup message a 0 '@stats_create - /1'",
            "dmsetup message a 0 @stats_list", "dmsetup message -u U-b 0 @stats_list", "dmsetup remove b",
            "dmsetup remove a", "dmsetup ls",
        ])
    }

    @Test func createsDevices() throws {
        try comparison.expectSame(
            Self.devices + [
                "dmsetup create a --table '0 10 zero' --addnodeoncreate",
                "dmsetup create b --addnodeonresume --table '0 10 zero'",
                "dmsetup create c --notable --addnodeoncreate", "dmsetup create d --notable",
                "dmsetup create e -v --table '0 1 zero'", "dmsetup create f --table '0 1 zero' --readahead 512",
                "dmsetup create g --table '0 1 zero' --readahead +9999",
                "dmsetup create h --table '0 1 zero' --readahead none",
                "dmsetup create i --table '0 1 zero' --readahead auto", "echo '0 1 zero' | dmsetup create j",
                "printf '# two\\n 0 1 zero \\n\\n1 1 error # x\\n' >$t/table; dmsetup create l $t/table",
                "dmsetup create m --table ''", "dmsetup create n", "dmsetup create a --table '0 1 zero'",
                "dmsetup create x -u LVM-xyz --table '0 1 zero'", "dmsetup create x --table '0 1'",
                "dmsetup create x --table 'a b c'", "dmsetup create x --table '0 1 nonsense'",
                "dmsetup create x --table '0 1 zero\n3 4 zero'", "dmsetup create x --table '0 1 linear /dev/nope 0'",
                "dmsetup create x -u ux --table '0 1 nonsense'", "dmsetup create x /nonexistent", "dmsetup create",
                "dmsetup create x y z", "dmsetup create x/y --notable",
                "dmsetup create $(printf 'x%.0s' {1..128}) --notable",
                "dmsetup create '' --notable", "dmsetup create x --notable --table '0 1 zero'",
                "dmsetup create x --table '0 1 zero' --mode 9", "dmsetup create x --table '0 1 zero' -m 2",
                "dmsetup create x --table '0 1 zero' -j 7 -m 33", "dmsetup create x --table '0 1 zero' -j $major -m 33",
                "dmsetup create x --addnodeonresume --addnodeoncreate --table '0 1 zero'",
                "dmsetup create x --table '0 1 a-target-with-a-long-name'", "dmsetup create x --table '-1 1 zero'",
                "dmsetup info",
            ])
    }

    @Test func createsFromAConciseList() throws {
        try comparison.expectSame([
            "dmsetup table --concise", "dmsetup create --concise",
            "dmsetup create --concise 'x,u,,,0 10 zero;y,,7,ro,0 10 zero,10 10 error'", "dmsetup table --concise",
            "dmsetup table --concise x", "dmsetup table --concise x y", "dmsetup table --concise nope",
            "echo 'z\\,\\;,,,rw,0 1 zero' | dmsetup create --concise", "dmsetup table --concise",
            "dmsetup create --concise 'w,,,foo,0 1 zero'", "dmsetup create --concise 'w,,,,junk'",
            "dmsetup create --concise 'w,,,,0 1 nonsense'", "dmsetup create --concise 'w,,,,0 1 zero;x,,,,0 1 zero'",
            "dmsetup create --concise 'v,,,,0 1 zero;'",
        ])
    }

    @Test func looksAtDevices() throws {
        try comparison.expectSame(
            Self.devices + [
                "dmsetup info", "dmsetup info k top nope", "dmsetup info nope", "dmsetup status k top nope",
                "dmsetup status nope", "dmsetup table nope k", "dmsetup deps nope k", "dmsetup measure",
                "dmsetup measure top",
                "dmsetup measure nope", "dmsetup table -j $major -m 33", "dmsetup table -j $major -m 99",
                "dmsetup table -u nope",
                "dmsetup info -j $major -m 99", "dmsetup info -j $major", "dmsetup info -u nope",
                "dmsetup table --target linear",
                "dmsetup table top --target zero", "dmsetup status --target zero", "dmsetup status --noflush",
                "dmsetup table -v k",
                "dmsetup ls -o blkdevname", "dmsetup ls -o devname", "dmsetup ls -o devno",
                "dmsetup ls --target linear",
                "dmsetup ls --target nope", "dmsetup ls --exec 'echo  a'", "dmsetup ls --exec 'echo a' --target zero",
                "dmsetup ls --exec false", "dmsetup ls --exec ''", "dmsetup ls --inactive",
                "dmsetup deps -o blkdevname",
                "dmsetup deps -o devname", "dmsetup deps -o devno", "dmsetup info /dev/mapper/k",
                "dmsetup info /dev/mapper/nope",
                "dmsetup info /dev/loop0", "dmsetup table /dev/dm-33", "dmsetup status 'c d'",
                "dmsetup status 'c\\x20d'",
                "dmsetup table 'x y'", "dmsetup info $(printf 'x%.0s' {1..130})",
            ])
    }

    @Test func hidesKeys() throws {
        let key = String(repeating: "0123456789abcdef", count: 4)
        try comparison.expectSame([
            "dmsetup create c --table \"0 100 crypt aes-xts-plain64 \(key) 0 $A 0\"", "dmsetup table",
            "dmsetup table --showkeys", "dmsetup table --concise", "dmsetup table --concise --showkeys",
            "dmsetup table c",
            "dmsetup create n --table \"0 100 crypt cipher_null-ecb - 0 $B 0\"", "dmsetup table n", "dmsetup status",
            "dmsetup message c 0 key wipe", "dmsetup suspend c && dmsetup message c 0 key wipe", "dmsetup table c",
        ])
    }

    @Test func drawsTrees() throws {
        let long = String(repeating: "abcdefghij", count: 8)
        let options = [
            "", "ascii", "utf", "vt100", "compact", "inverted", "compact,inverted", "nodevice", "device", "uuid",
            "open",
            "rw", "active", "active,open,rw,uuid,blkdevname", "blkdevname", "compact,utf", "compact,vt100", "notrunc",
            "inverted,nodevice", "nodevice,blkdevname", "devname", "foo", "utf,foo", "compact,nodevice,uuid",
            "compact,open", "foo,utf",
        ]
        try comparison.expectSame(
            Self.devices + [
                "dmsetup create \(long) --table '0 10 linear /dev/mapper/k 0'",
                "dmsetup create long --table '0 10 linear /dev/mapper/\(long) 0'", "dmsetup create empty --notable",
                "dmsetup create both --table \"0 10 linear $A 0\n10 10 linear $B 0\n20 10 linear /dev/mapper/k 0\"",
                "dmsetup suspend k", "dmsetup ls --tree --inactive", "dmsetup ls --tree k",
                "LC_ALL=C.UTF-8 dmsetup ls --tree", "LC_ALL=C.utf8 dmsetup ls --tree -o compact",
                "unset LC_ALL LC_CTYPE; LANG=C.UTF-8 dmsetup ls --tree", "LC_ALL=C LANG=C.UTF-8 dmsetup ls --tree",
                "LC_ALL= LC_CTYPE=C.UTF-8 LANG=C dmsetup ls --tree", "LC_ALL=C.UTF-8 dmsetup ls --tree -o ascii",
            ] + options.map { "dmsetup ls --tree -o '\($0)'" } + ["dmsetup resume k"])
    }

    @Test func changesDevices() throws {
        try comparison.expectSame(
            Self.devices + [
                "dmsetup suspend k top", "dmsetup info -c", "dmsetup resume k top", "dmsetup suspend nope k",
                "dmsetup resume nope k", "dmsetup suspend", "dmsetup resume", "dmsetup clear", "dmsetup clear nope",
                "dmsetup load", "dmsetup load top", "dmsetup load top --table ''", "dmsetup load top /nonexistent",
                "dmsetup load nope --table '0 1 zero'", "dmsetup load 'c d' --table '0 1 nonsense'",
                "dmsetup load -j $major -m 33 --table '0 1 nonsense'", "dmsetup load -u CRYPT-1 --table '0 1 zero'",
                "dmsetup load top -r --table '0 1 zero'", "dmsetup resume top", "dmsetup info top",
                "echo '0 7 zero' | dmsetup load top", "dmsetup resume -v top", "dmsetup wipe_table nope",
                "dmsetup wipe_table",
                "dmsetup wipe_table top", "dmsetup wipe_table --force 'c d'", "dmsetup rename", "dmsetup rename k",
                "dmsetup rename k top", "dmsetup rename k k", "dmsetup rename k x/y", "dmsetup rename k 'n n'",
                "dmsetup ls",
                "dmsetup rename 'n n' k", "dmsetup rename nope x", "dmsetup rename k --setuuid 'U 1'",
                "dmsetup rename k --setuuid U2", "dmsetup rename x --setuuid", "dmsetup rename -u CRYPT-1 foo",
                "dmsetup rename -u CRYPT-1 top top2", "dmsetup setgeometry top2 1 2 3 0",
                "dmsetup setgeometry top2 x 1 2 3",
                "dmsetup setgeometry nope 0 1 2 3", "dmsetup setgeometry top2 1 2 3", "dmsetup message top2",
                "dmsetup message top2 0", "dmsetup message top2 x x", "dmsetup message nope 0 x",
                "dmsetup message top2 -1 x",
                "dmsetup resume top2 --readahead 64", "dmsetup mknodes", "dmsetup mknodes nope", "dmsetup mknodes top2",
                "rm -f /dev/mapper/top2; dmsetup mknodes", "dmsetup info",
                "dmsetup create n -u U-n --notable", "dmsetup resume -u U-n", "dmsetup create m --notable",
                "dmsetup resume m",
            ])
    }

    @Test func keepsItsNodesWhereTheEnvironmentSays() throws {
        let list = "(cd $t/dev && find . -printf '%p %y %m %U %G\n' | sort)"
        let calls = [
            "create a --table '0 8 zero' --uid 7 --mode 640", "info $t/dev/mapper/a", "info /dev/mapper/a",
            "create b --table \"0 8 linear $t/dev/mapper/a 0\" --addnodeoncreate", "ls --exec 'echo x'",
            "ls -o devname",
            "deps -o devname", "rename b c-d", "mknodes", "table", "remove c-d", "remove a",
        ]
        try comparison.expectSame(
            ["rm -rf $t/dev $t/e $t/l"]
                + calls.map { "DM_DEV_DIR=$t/dev dmsetup \($0) && \(list); ls /dev/mapper" }
                + ["", "relative", "/\(String(repeating: "x", count: 5000))", "$t/dev/", "$t/a/b", "/nonexistent"].map {
                    "DM_DEV_DIR=\($0) dmsetup create x --table '0 8 zero' 2>&1 | grep Invalid; dmsetup remove x"
                }
                + ["relative", "$t/other"].map { "DM_DEV_DIR=\($0) dmsetup --foo" } + [
                    "mkdir -p $t/e/mapper; mknod $t/e/mapper/control c 1 3; DM_DEV_DIR=$t/e dmsetup ls; ls -l $t/e/mapper | cut -c 1-40",
                    "mkdir -p $t/l/mapper; ln -s /dev/mapper/control $t/l/mapper/; DM_DEV_DIR=$t/l dmsetup ls; ls $t/l/mapper",
                ])
    }

    @Test func removesDevices() throws {
        try comparison.expectSame(
            Self.devices + [
                "dmsetup remove", "dmsetup remove --force", "dmsetup remove nope", "dmsetup remove k",
                "dmsetup remove -u nope",
                "dmsetup remove -j $major -m 99", "dmsetup remove --deferred k", "dmsetup info k", "dmsetup info -c k",
                "dmsetup remove --force k", "dmsetup table", "dmsetup remove --retry nope",
                "dmsetup remove top nope 'c d'",
                "dmsetup ls", "dmsetup remove -v 'c d'", "dmsetup remove -u LVM-xyz", "dmsetup ls",
            ])
        try comparison.expectSame(
            Self.devices + ["dmsetup remove top k", "dmsetup remove_all x", "dmsetup remove_all", "dmsetup ls"])
        try comparison.expectSame(Self.devices + ["dmsetup remove_all --force", "dmsetup ls"])
        try comparison.expectSame(Self.devices + ["dmsetup remove_all --force --deferred", "dmsetup ls"])
    }

    @Test func manglesNames() throws {
        try comparison.expectSame([
            "dmsetup create 'c d' --notable", "dmsetup create 'e\\x20w' -u 'a b' --notable",
            "dmsetup create 'e\\x20 w' --notable",
            "dmsetup create x -u 'e\\x20 w' --notable", "dmsetup create 'tilde~%/' --notable",
            "dmsetup create 'tilde~%' --notable",
            "dmsetup ls", "dmsetup info 'c d'", "dmsetup info 'c\\x20d'", "dmsetup --manglename none ls",
            "dmsetup --manglename hex ls", "dmsetup --manglename foo ls", "dmsetup --manglename none info 'c d'",
            "dmsetup --manglename hex info 'c d'", "dmsetup info -c -o name_all", "dmsetup mangle",
            "dmsetup mangle nope",
            "dmsetup mangle 'c\\x20d'", "dmsetup --manglename none create 'f g' --notable", "dmsetup mangle",
            "dmsetup --manglename none ls", "dmsetup --manglename hex create 'q\\x20w' --notable", "dmsetup ls",
            "dmsetup info", "dmsetup info -c", "dmsetup mangle", "dmsetup --manglename none ls",
            "DM_DEFAULT_NAME_MANGLING_MODE=none dmsetup ls", "dmsetup remove 'c d'", "dmsetup remove -u 'a b'",
            "dmsetup mangle --manglename none", "dmsetup --manglename none ls",
        ])
    }

    @Test func makesReports() throws {
        let columns = [
            "", "-o +blkdevname", "-o name,blkdevname,attr,tables_loaded,suspended,readonly,devno,open,segments,events",
            "-o name,attr,open -O -name", "-o deps_all,name", "-o name_all", "-o info_all", "-o splitname_all,name",
            "-o name,device_ref_count,names_using_dev,devnos_using_dev,devs_used", "-o all", "-o name,name",
            "-o Name,NAME",
            "-o ''", "-o foo", "-o help", "-o name,read_ahead", "-o subsystem,vg_name", "-o open_count", "-o devsused",
            "--noheadings", "--noheadings -o name", "--noheadings -o name,uuid,minor --separator ,", "--separator :",
            "--nameprefixes", "--nameprefixes --noheadings --unquoted", "--rows", "--rows --nameprefixes",
            "--rows --noheadings", "--rows --separator ,", "--unquoted", "--unbuffered", "-o name --unbuffered",
            "--nameprefixes --separator '; '", "-O minor", "-O -minor,name", "-O +open,-name", "-O foo",
            "-o minor -O name",
            "k", "k top", "k nope", "-u LVM-xyz", "-j $major -m 33", "--inactive", "-v", "-O -open -o name,open --rows",
        ]
        let selections = [
            "minor=33", "name=~k", "name=k && (open=0 || minor>5) && !(suspended=1)", "name=", "minor>3", "foo=1",
            "help",
            "name!~k", "uuid=~^LVM", "name=k ||", "minor=x", "suspended=Active", "minor>=2 , open<1",
            "name=k # name=top",
            "!name=k", "!(name=k || name=top)", "name=\"c d\"", "name='top'", "name>k", "minor=~3", "name", "=k", "()",
            "(name=k", "devnos_used=7:0", "read_ahead=256", "minor!=33", "major<=254", "attr=~L.*r", "", "  ",
        ]
        try comparison.expectSame(
            Self.devices + columns.map { "dmsetup info -c \($0)" }
                + selections.map { "dmsetup info -c -o name,selected -S '\($0.replacing("'", with: "'\\''"))'" }
                + [
                    "dmsetup info -o name", "dmsetup -C info", "dmsetup info --columns", "dmsetup ls -c",
                    "dmsetup table -c",
                ])
    }

    @Test func splitsNames() throws {
        try comparison.expectSame(
            [
                "vg-lv", "vg--x-lv--y-layer", "vg-lv LVM", "foo", "vg-lv CRYPT", "-c vg-lv", "", "a b c",
                "-o lv_name vg-lv --noheadings", "vg-lv --nameprefixes --noheadings", "-o +subsystem vg-lv", "a-b-c-d",
                "a---b",
                "''", "-- -a", "a-b-",
            ].map { "dmsetup splitname \($0)" })
    }

    @Test func understandsOptionsAsTheCLibraryDoes() throws {
        try comparison.expectSame([
            "dmsetup", "dmsetup foo", "dmsetup inf", "dmsetup help", "dmsetup help -c", "dmsetup -h",
            "dmsetup create -h",
            "dmsetup help create", "dmsetup info --foo", "dmsetup --nohead ls", "dmsetup --no ls", "dmsetup -Z ls",
            "dmsetup -o", "dmsetup --table ls", "dmsetup -- ls", "dmsetup ls --", "dmsetup ls x", "dmsetup targets x",
            "dmsetup version x", "dmsetup --readonly=1 ls", "dmsetup --verbose ls", "dmsetup -fy ls",
            "dmsetup --checks ls",
            "dmsetup --yes ls", "dmsetup --noopencount ls", "dmsetup --udevcookie x ls", "dmsetup deps -o foo",
            "dmsetup ls -o help", "dmsetup ls -o ''", "dmsetup ls -o devno,devname", "dmsetup udevcookies",
            "dmsetup udevcreatecookie", "dmsetup udevreleasecookie", "dmsetup udevflags 4194304",
            "dmsetup udevflags 0xffff0000", "dmsetup udevflags x", "dmsetup udevflags", "dmsetup udevcomplete 5",
            "dmsetup udevcomplete x", "dmsetup udevcomplete_all -y", "dmsetup udevcomplete_all",
            "dmsetup udevcomplete_all -y 5", "dmsetup udevcomplete_all -y x", "dmsetup target-version",
            "dmsetup target-version linear zero error", "dmsetup setgeometry", "dmsetup wait", "dmsetup wait nope",
        ])
    }

    /// dmsetup reads such numbers in ways of its own; here they must only not stop the program.
    @Test func goesOnWithNumbersThatNothingHas() throws {
        let number = "99999999999999999999"
        let record = try comparison.run(
            [
                "dmsetup create a --table '0 8 zero' --readahead \(number)",
                "dmsetup create b --table '0 8 zero' --readahead -\(number) --uid \(number) --mode 7777777777",
                "dmsetup create c -j \(number) -m \(number) --table '0 8 zero'",
                "dmsetup create d --table '\(number) \(number) zero'", "dmsetup message a \(number) x",
                "dmsetup setgeometry a \(number) \(number) \(number) \(number)",
                "dmsetup info -c -S 'minor>\(number)'", "dmsetup udevflags \(number)",
                "dmsetup udevcomplete_all -y \(number)",
            ], isOurs: true)
        for outcome in record.outcomes { #expect([0, 1].contains(outcome.status), "\(outcome)") }
    }
}
