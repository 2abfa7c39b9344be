import TestSupport
import Testing

/// dmsetup, and dmlayer by that name, where udevd runs.
@Suite(.serialized) struct DMSetupUdevTests {
    let comparison: DMSetupComparison

    init() throws {
        comparison = try DMSetupComparison()
    }

    private static let lines = [
        "dmsetup create a -u LVM-x --table '0 10 zero'", "dmsetup create b --table \"0 100 linear $A 0\"",
        "dmsetup rename a c", "dmsetup suspend c", "dmsetup resume c", "dmsetup load c --table '0 20 zero'",
        "dmsetup resume c", "dmsetup remove b", "dmsetup create a --table '0 10 zero' --verifyudev",
        "dmsetup rename a b --verifyudev", "dmsetup remove b --verifyudev", "dmsetup create 'd e' --table '0 10 zero'",
        "dmsetup info -c -o name", "dmsetup remove 'd e'", "dmsetup create a --table '0 10 zero' --noudevsync; settle",
        "dmsetup rename a b --noudevsync; settle", "dmsetup remove b --noudevsync; settle",
        "dmsetup create --concise 'x,,,,0 1 zero;y,UUID-y,,ro,0 1 zero'", "dmsetup mknodes", "dmsetup ls --tree",
        "dmsetup create b --notable", "dmsetup load b --table '0 10 error'", "dmsetup resume b",
        "dmsetup rename b --setuuid U-b", "dmsetup wipe_table x", "dmsetup create z --table '0 10 nonsense'",
        "dmsetup remove --force y", "dmsetup remove --retry x", "dmsetup remove -u U-b", "dmsetup info nope",
        "C=$(dmsetup udevcreatecookie); echo ${#C} ${C%%????}; echo $C >$t/cookie", "dmsetup udevcookies | wc -l",
        "dmsetup create a --table '0 10 zero' --udevcookie $(cat $t/cookie); settle",
        "dmsetup rename a b --udevcookie $(cat $t/cookie); settle", "dmsetup udevcookies | awk 'NR > 1 { print $3 }'",
        "dmsetup udevreleasecookie $(cat $t/cookie)", "dmsetup udevcookies | wc -l",
        "export DM_UDEV_COOKIE=$(dmsetup udevcreatecookie); dmsetup remove b; dmsetup udevreleasecookie",
        "dmsetup udevreleasecookie", "DM_UDEV_COOKIE= dmsetup udevreleasecookie", "dmsetup udevreleasecookie 0xd4d1234",
        "dmsetup udevcomplete 12345", "dmsetup udevcomplete x", "dmsetup udevcomplete_all -y",
        "dmsetup udevcreatecookie >/dev/null; dmsetup udevcomplete_all -y", "dmsetup remove_all; settle",
    ]

    /// Lines that say that udevd is left out.
    private static let bypassing = [
        "create a --table '0 10 zero'", "create b --notable", "rename a c", "suspend c", "resume c",
        "load c --table '0 20 zero'", "resume c", "message c 0 @stats_list", "ls", "info c", "table", "deps", "status",
        "mknodes", "clear c", "splitname a", "targets", "udevcreatecookie", "udevcomplete 1", "udevreleasecookie 1",
        "udevcookies", "udevflags 0x430000", "setgeometry c 1 1 1 0", "wipe_table c", "remove c", "remove b",
        "version | tail -1", "remove_all",
    ]

    /// Runs lines where udevd runs, and appends to each what is to be seen of the devices.
    ///
    /// The rules call the same program as the lines.
    private func run(_ lines: [String], isOurs: Bool) throws -> [String] {
        let mark = "=-=-="
        let commands = lines.map { line in
            "(\(line)\n) </dev/null 2>&1; echo \"status $?\"; look; echo '\(mark)'"
        }
        let program = isOurs ? "ours" : "theirs"
        let text = try Shell.run(
            """
            unset DM_DISABLE_UDEV
            exec unshare --mount bash <<'END OF THE SCRIPT'
            t='\(comparison.scratch.path)'
            cp -L /usr/sbin/dmsetup $t/real
            ln -sf $t/real $t/theirs/dmsetup
            for target in linear zero error; do $t/real target-version $target >/dev/null; done
            mount --bind "$(readlink -f $t/\(program)/dmsetup)" /usr/sbin/dmsetup
            mkdir -p /run/udev
            /lib/systemd/systemd-udevd 2>/dev/null & daemon=$!
            for i in {1..50}; do [ -S /run/udev/control ] && break; sleep 0.1; done
            truncate -s 16M $t/a; A=$(losetup --find --show $t/a)
            PATH=$t/\(program):$PATH
            settle() { udevadm settle; }
            look() {
                for node in /dev/mapper/*; do
                    [ -e $node ] || continue
                    [ -L $node ] && echo "$node -> $(readlink $node)" || stat -c '%n %F %a %u %g' $node
                    [ $node = /dev/mapper/control ] || udevadm info $node 2>&1 | grep -E '^E: DM_|^S:' | sort
                done
                $t/real udevcookies 2>/dev/null | wc -l
            }
            settle
            \(commands.joined(separator: "\n"))
            unset DM_DISABLE_UDEV
            $t/real remove_all; settle
            $t/real udevcomplete_all -y >/dev/null
            losetup -d $A; settle
            kill $daemon; wait $daemon 2>/dev/null
            rm -rf /run/udev
            END OF THE SCRIPT
            """)
        return text.components(separatedBy: mark)
    }

    private func expectSame(_ lines: [String]) throws {
        let theirs = try run(lines, isOurs: false)
        let ours = try run(lines, isOurs: true)
        try #require(theirs.count == lines.count + 1 && ours.count == theirs.count)
        for (index, line) in lines.enumerated() {
            #expect(ours[index] == theirs[index], "\(line)")
        }
    }

    @Test func leavesLinksToTheRules() throws {
        try expectSame(Self.lines)
        #expect(try run(["dmsetup create a --table '0 10 zero'"], isOurs: true)[0].contains("/dev/mapper/a -> ../dm-0"))
    }

    @Test func makesNodesWhereUdevIsDisabled() throws {
        try expectSame(Self.bypassing.map { "export DM_DISABLE_UDEV=1; dmsetup \($0); udevadm settle" })
    }
}

extension String {
    /// The parts between marks.
    fileprivate func components(separatedBy mark: String) -> [String] {
        var parts: [String] = []
        var rest = self[...]
        while let range = rest.firstRange(of: mark) {
            parts.append(String(rest[..<range.lowerBound]))
            rest = rest[range.upperBound...]
        }
        return parts + [String(rest)]
    }
}
