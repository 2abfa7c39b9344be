import TestSupport
import Testing

/// The same command lines for dmsetup and for the program that dmlayer is by that name, on equal devices.
struct DMSetupComparison {
    /// The result of one command line.
    struct Outcome: Equatable {
        var status: Int
        var output: String
        var messages: String
    }

    /// The results of a list of command lines, and the devices that remain after them.
    struct Record {
        let outcomes: [Outcome]
        let devices: String
    }

    let scratch: ScratchDirectory

    init() throws {
        scratch = try ScratchDirectory()
        try Shell.run(
            """
            mkdir '\(scratch.path)/ours' '\(scratch.path)/theirs'
            ln -s '\(DMLayerCommand.path)' '\(scratch.path)/ours/dmsetup'
            ln -s '\(DMLayerCommand.path)' '\(scratch.path)/ours/dmstats'
            ln -s /usr/sbin/dmsetup '\(scratch.path)/theirs/dmsetup'
            ln -s /usr/sbin/dmstats '\(scratch.path)/theirs/dmstats'
            """)
    }

    /// Runs command lines of the shell with one of the two programs, and removes all devices at the end.
    ///
    /// In a line, `$major` is the number that this kernel has given to the device mapper, and `$A` and `$B` are loop devices.
    ///
    /// - Parameter isOurs: Whether `dmsetup` is dmlayer.
    func run(_ lines: [String], isOurs: Bool) throws -> Record {
        let mark = "=-=-="
        let commands = lines.enumerated().map { index, line in
            "(\(line)\n) </dev/null >$t/out 2>$t/err; echo \"$?\"; show out; echo '\(mark)'; show err; echo '\(mark)'"
        }
        let text = try Shell.run(
            """
            bash <<'END OF THE SCRIPT'
            t='\(scratch.path)'; real=/usr/sbin/dmsetup
            export DM_DISABLE_UDEV=1; major=$(awk '$2 == "device-mapper" {print $1}' /proc/devices)
            # Like cat, but without a new process, which takes as long as the command under test.
            show() { local text; IFS= read -rd '' text <"$t/$1"; printf '%s' "$text"; }
            # Both programs find the same modules.
            for target in linear zero error crypt; do $real target-version $target >/dev/null; done
            truncate -s 16M "$t/a" "$t/b"
            A=$(losetup --find --show "$t/a"); B=$(losetup --find --show "$t/b")
            PATH="$t/\(isOurs ? "ours" : "theirs"):$PATH"
            \(commands.joined(separator: "\n"))
            for suffix in '' --inactive; do
                # It complains about nodes of devices without a table, in other words where there is no node.
                $real table --showkeys --manglename none $suffix 2>/dev/null
            done
            $real info -c --noheadings --manglename none \
                -o name,uuid,devno,attr,open,segments,events,read_ahead 2>/dev/null
            # dmsetup leaves some nodes of removed devices, and mknodes makes nodes with blanks in their names.
            for node in /dev/mapper/*; do
                name=${node##*/} name=${name// /\\\\x20}
                if $real info --manglename none "$name" >/dev/null 2>&1; then
                    stat -c "$name %F %a %u %g %t:%T" "$node"
                fi
            done | sort -u
            for i in 1 2 3 4; do $real remove_all --force --manglename none >/dev/null 2>&1; done
            losetup -d "$A" "$B"
            rm -f $(find /dev/mapper -type b)
            END OF THE SCRIPT
            """)
        let parts = text.split(separator: mark, omittingEmptySubsequences: false).map(String.init)
        let outcomes = lines.indices.map { index in
            let head = parts[2 * index].drop { $0 == "\n" }
            let status = head.prefix { $0 != "\n" }
            return Outcome(
                status: Int(status) ?? -1, output: String(head.dropFirst(status.count + 1)),
                messages: String(parts[2 * index + 1].dropFirst()))
        }
        return Record(outcomes: outcomes, devices: parts.last ?? "")
    }

    /// The messages without what is different on purpose.
    ///
    /// That is the text of the help, the list of columns, the complaint about missing nodes of devices without a table, and a line
    /// that names a function of dmsetup's.
    static func comparable(_ messages: String) -> String {
        let lines = messages.split(separator: "\n").filter {
            !$0.contains(": open failed: ") && !$0.hasPrefix("_do_report_object: ")
        }
        if let help = lines.lastIndex(where: { $0.contains("List subset end") }) {
            return lines[(help + 1)...].filter { $0 != " " }.joined(separator: "\n")
        }
        guard let usage = lines.firstIndex(where: { $0.hasPrefix("Usage:") }) else {
            guard messages.contains("  mangled_name ") else { return lines.joined(separator: "\n") }
            return lines.filter { $0.hasPrefix("Unrecognised") || $0.hasPrefix("dm_report") }.joined(separator: "\n")
        }
        return lines[..<usage].joined(separator: "\n")
    }

    /// The output without the counters of a region that differ between two runs: the times, and how many requests the kernel merged,
    /// which depends on the speed of the processors.
    ///
    /// The fields are those of `@stats_print` in the kernel's document statistics.rst.
    private static func withoutTimes(_ output: String) -> String {
        output.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            var fields = line.split(separator: " ", omittingEmptySubsequences: false)
            let isRegion = fields.count >= 14 && fields[0].contains("+") && fields[0].first?.isNumber == true
            guard isRegion else { return String(line) }
            for index in [2, 4, 6, 8] + Array(10..<fields.count) { fields[index] = "-" }
            return fields.joined(separator: " ")
        }.joined(separator: "\n")
    }

    /// Expects that both programs do the same.
    func expectSame(_ lines: [String], _ comment: String = "") throws {
        let theirs = try run(lines, isOurs: false)
        let ours = try run(lines, isOurs: true)
        for (index, line) in lines.enumerated() {
            let (ours, theirs) = (ours.outcomes[index], theirs.outcomes[index])
            #expect(ours.status == theirs.status, "\(comment)\(line): \(ours.messages)")
            #expect(Self.withoutTimes(ours.output) == Self.withoutTimes(theirs.output), "\(comment)\(line)")
            #expect(Self.comparable(ours.messages) == Self.comparable(theirs.messages), "\(comment)\(line)")
        }
        #expect(ours.devices == theirs.devices, "\(comment)\(lines)")
    }
}
