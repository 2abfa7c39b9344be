import TestSupport
import Testing

/// The commands of dmstats, given to it and to dmlayer by that name.
@Suite(.serialized) struct DMStatsByNameTests {
    let comparison: DMSetupComparison

    init() throws {
        comparison = try DMSetupComparison()
    }

    private static let devices = [
        "dmsetup create d --table \"0 30000 linear $A 0\"", "dmsetup create e -u U-e --table \"0 2048 linear $A 0\"",
        "dmsetup create two --table \"0 2048 linear $A 0\n2048 2048 linear $A 8192\"",
        "dmsetup create 'c d' --table '0 100 zero'", "dmsetup create f --notable",
    ]

    /// The regions of all devices, as the kernel lists them.
    private static let regions = ["d", "e", "two", "'c d'", "f"].map { "dmsetup message \($0) 0 @stats_list" }

    @Test func createsRegions() throws {
        let options = [
            "", "--areas 4", "--areas 0", "--areas x", "--areasize 8M", "--areasize 4k --start 8s --length 100s",
            "--areasize 10x", "--areasize foo", "--areas 4 --areasize 8M", "--start 1M --length 2M", "--start 1M",
            "--length 1M", "--start 1000M --length 1", "--start 1x", "--start x", "--start ''", "--length x",
            "--precise", "--bounds 10ms,20ms,30ms", "--bounds 10us,20ms,1s", "--bounds 10us,20ms,1s --precise",
            "--bounds 1ms --precise", "--bounds 1500us", "--bounds 10ms,20", "--bounds 10,20us", "--bounds 3,2",
            "--bounds 1,", "--bounds 10000000000s", "--programid foo --userdata bar", "--programid ''",
            "--programid '' --force", "--userdata ''", "--userdata 'a b'", "--alias foo", "--alias foo --nogroup",
            "--segments", "--segments --alias foo", "--segments --nogroup", "--segments --userdata x", "--histogram",
            "-v", "--allregions", "--allprograms", "--alldevices",
        ]
        try comparison.expectSame(
            Self.devices + options.flatMap { ["dmstats create two \($0)", "dmsetup stats create e \($0)"] }
                + [
                    "dmstats create", "dmstats create --alldevices", "dmstats create nope", "dmstats create d two nope",
                    "dmstats create -u U-e", "dmstats create -u nope", "dmstats create f",
                    "dmstats create -j $major -m 1", "dmstats create -j $major", "dmstats create 'c d' --segments",
                    "dmstats create f --segments", "dmstats create /dev/mapper/e",
                ] + Self.regions)
    }

    @Test func clearsPrintsAndDeletesRegions() throws {
        // dmsetup prints each region of a list twice.
        let once = " | awk '!seen[$0]++'"
        try comparison.expectSame(
            Self.devices + [
                "dmstats create d --areas 4", "dmstats create d --areasize 8M", "dmstats create d --bounds 10ms",
                "dmstats create e", "dmstats create e --programid foo", "dmstats create two --segments",
                "dmstats create two", "dd if=/dev/mapper/d of=/dev/null bs=64k count=20 iflag=direct 2>/dev/null",
                "dmstats print d", "dmstats print", "dmstats print d --regionid 0", "dmstats print d --regionid 99",
                "dmstats print d --regionid x --clear", "dmstats print nope --regionid 0",
                "dmstats print d --allregions\(once)", "dmstats print --allregions\(once)",
                "dmstats print d --clear --regionid 1",
                "dmstats print d --regionid 1", "dmstats print d e --regionid 0", "dmstats print --regionid 0",
                "dmstats print f --regionid 0", "dmstats clear d", "dmstats clear d --regionid 2",
                "dmstats print d --regionid 2", "dmstats clear d --allregions", "dmstats clear d --regionid 99",
                "dmstats clear nope --regionid 0", "dmstats clear --regionid 0",
                "dmstats clear --allregions --alldevices",
                "dmstats clear -u U-e --regionid 1", "dmstats print d --regionid 0", "dmstats delete",
                "dmstats delete d",
                "dmstats delete d --regionid 1", "dmstats delete d --regionid 1", "dmstats delete d --regionid 999",
                "dmstats delete nope --regionid 0", "dmstats delete nope --allregions",
                "dmstats delete nope --groupid 0",
                "dmstats delete --regionid 0", "dmstats delete --allregions", "dmstats delete e --regionid 1",
                "dmstats delete f --regionid 0", "dmstats delete d --groupid 99", "dmstats delete d --groupid 0",
                "dmstats delete d --regionid 1 --groupid 1", "dmstats delete e --allregions",
                "dmstats delete e --allregions --allprograms", "dmstats delete two --regionid 1",
            ] + Self.regions + [
                "dmstats delete two --groupid 0", "dmstats delete -u U-e --regionid 1",
                "dmstats delete d --programid foo --allregions", "dmstats delete e --allprograms --programid x",
            ] + Self.regions + ["dmstats delete --alldevices --allregions"] + Self.regions)
    }

    @Test func groupsRegions() throws {
        let lists = [
            "0-2,4", "5,6 --alias al", "0", "100", "x", "3-2", "''", "all", "0-", "'3, 7'", "7,8", "8,9", "10",
            "10,12 --alias ''", "11 --userdata y",
        ]
        try comparison.expectSame(
            Self.devices + (0..<7).map { _ in "dmstats create d" }
                + [
                    "dmstats create d --precise", "dmstats create d --bounds 10ms", "dmstats create d --bounds 20ms",
                    "dmstats create d --start 5k --length 5k", "dmstats create d --start 10k --length 5k",
                    "dmstats create d --length 5k --precise", "dmstats create e",
                ] + lists.map { "dmstats group d --regions \($0)" }
                + [
                    "dmstats group d", "dmstats group --regions 3", "dmstats group nope --regions 1",
                    "dmstats group f --regions 0", "dmstats group --alldevices --regions 3", "dmstats list",
                    "dmstats list d --group",
                    "dmstats list d --group --histogram", "dmstats list -o all --group",
                ] + Self.regions + [
                    "dmstats ungroup", "dmstats ungroup d", "dmstats ungroup d --groupid 0",
                    "dmstats ungroup d --groupid 0", "dmstats ungroup d --groupid 99",
                    "dmstats ungroup --groupid 5", "dmstats ungroup nope --groupid 0",
                    "dmstats ungroup --alldevices --groupid 5", "dmstats delete d --regionid 12",
                ] + Self.regions)
    }

    /// Regions of all kinds on two devices, with the same counters at every call.
    private static let counted = [
        "dmstats create d --areas 4", "dmstats create d --bounds 10ms,35ms", "dmstats create d --length 5k",
        "dmstats create d --start 5k --length 5k --bounds 10us,35ms,1s --areas 2",
        "dmstats create two --segments --alias al", "dmstats create two", "dmstats group d --regions 1,2",
        "dmstats create e --programid foo", "dmstats create e --precise",
        "dmstats create d --bounds 100ms --areasize 8M",
    ]

    @Test func listsRegions() throws {
        let options = [
            "", "d", "d two", "nope", "two nope", "f", "'c d'", "-u U-e", "-u nope", "-j $major -m 1", "--alldevices",
            "--allprograms", "--programid foo", "--programid ''", "--regionid 0", "--allregions", "--histogram",
            "--area", "--region", "--group", "--area --region --group", "--histogram --notimesuffix", "--units s",
            "--units k", "--units k --nosuffix", "--units K", "--units 4k", "--units 3M", "--units H", "--units h",
            "--units b", "--units B", "--units S", "--units 2s", "--units 1.5k", "--units R", "--units r", "--units g",
            "--units e", "--units p --nosuffix", "--units kk", "--units h4", "--units 0", "--units 0k", "--units 4",
            "--units ''", "--units x", "--noheadings", "--noheadings --separator ' '", "--separator ,",
            "--nameprefixes",
            "--nameprefixes --noheadings --unquoted", "--rows", "-c", "-o all --group", "-o +region_id,user_data",
            "-o name", "-o name,uuid,minor,open,device_count", "-o name_all,region_id",
            "-o hist_bounds,hist_ranges,hist_bins", "-o hist_bounds,hist_ranges,hist_bins --separator ,",
            "-o hist_ranges --notimesuffix", "-o foo", "-o help", "-O help", "-O foo", "-O region_start", "-o regionid",
            "-O -region_len,region_id --region", "-o stats_name,precise,selected,obj_type", "-o ''",
            "--programid x --allprograms", "--regionid 1 --allregions", "-v two", "--verbose=1 e",
            "--count -1",
        ]
        try comparison.expectSame(
            ["dmstats list", "dmstats report", "dmstats print --allregions"] + Self.devices + ["dmstats list"]
                + Self.counted + options.map { "dmstats list \($0)" } + ["dmsetup stats list two"])
    }

    @Test func selectsRegions() throws {
        let selections = [
            "region_len>1m", "region_len=1m", "region_len=1.00m", "region_len=1048576", "region_len=2048s",
            "region_len>=100k", "region_start>=1", "region_start>0", "region_len=x", "obj_type=region", "hist_bins>0",
            "group_id=1", "group_id=-", "hist_bounds=~1s",
            "program_id=~dm", "region_id=0", "area_count>1", "stats_name=al", "name=d && region_id>2", "foo=1",
            "area_len<1m",
        ]
        try comparison.expectSame(
            Self.devices + Self.counted + selections.map { "dmstats list -S '\($0)'" }
                + [
                    "dmstats report d -S 'util<50' -o name,util", "dmstats report d -S 'await=0.00' -o name,await",
                    "dmstats report d -S 'read_size_per_sec=0' -o name,region_id",
                ])
    }

    @Test func reportsCounters() throws {
        // In dmsetup, the row of a region has other values in the columns of the area.
        let reports = [
            "--area --group", "d --area", "two --group", "nope", "d nope", "f", "'c d'", "-u U-e", "-j $major -m 1",
            "--area --histogram", "--area --histogram --relative", "--area --histogram --notimesuffix",
            "--area --histogram --relative --notimesuffix", "--region --histogram d", "--raw --area d",
            "--area --units s", "--area --units k d", "--units x d", "--programid foo", "--allprograms --area",
            "--regionid 99 d -o name", "d -o name,region_id,area_id,read_count -O -region_id,area_id --area",
            "d -o name,region_id,area_id,read_count --noheadings --separator ,",
            "d -o name,region_id,area_id,read_count --nameprefixes", "d -o +foo", "d -o stats_all,service_time --area",
            "d -o hist_count,hist_count_bounds,hist_count_ranges,hist_percent_ranges --area",
            "d -o hist_count,hist_percent_bounds,hist_count_ranges --notimesuffix --region",
            "d --area -o hist_count,hist_count_bounds --noheadings",
            "d --area -o hist_count,hist_count_ranges --separator ,",
            "d --area -o hist_count,hist_count_bounds --nameprefixes", "d -o hist_count,hist_percent --rows --region",
            "d -o name,all --area", "d -o interval,interval_ns,name",
            "e --count 2 --interval 1 -o name,region_id", "two --count 2 -o name,region_id --noheadings", "f --count 2",
            "--interval 0 d", "--interval -1 d", "--interval x d", "--count -1 d", "--interval 0.5 d",
        ]
        try comparison.expectSame(
            Self.devices + Self.counted + reports.map { "timeout 10 dmstats report \($0)" }
                + [
                    "timeout 2 dmstats report e --interval 1 -o name,region_id >$t/rows; head -1 $t/rows",
                    "dmstats", "dmstats foo", "dmstats help", "dmstats help x", "dmstats -h", "dmstats -v",
                    "dmstats --foo", "dmstats --all list", "dmstats version | tail -1", "dmstats version x | tail -1",
                    "dmstats --version | tail -1", "dmsetup stats", "dmsetup stats foo", "dmsetup stats help",
                    "dmsetup stats version | tail -1", "dmsetup stats -v", "dmstats --alldevices list e",
                ])
    }

    /// Both programs count the same requests, each in regions of its own.
    @Test func countsWhatDMStatsCounts() throws {
        let text = try Shell.run(
            """
            bash <<'END OF THE SCRIPT'
            cd '\(comparison.scratch.path)'
            export DM_DISABLE_UDEV=1
            truncate -s 16M a; disk=$(losetup --find --show "$PWD/a")
            theirs/dmsetup target-version delay >/dev/null
            theirs/dmsetup create d --table "0 8192 delay $disk 0 30 $disk 0 50"
            for program in ours theirs; do
                for options in '--areas 4' '--bounds 10ms,35ms,60ms' '--bounds 10ms,35ms,60ms --length 1M' ''; do
                    $program/dmstats create d --programid $program $options >/dev/null
                done
            done
            theirs/dmsetup message d 0 @stats_set_aux 1 DMS_GROUP=:1-2#-
            theirs/dmsetup message d 0 @stats_set_aux 5 DMS_GROUP=:5-6#-
            for i in 1 2; do
                dd if=/dev/mapper/d of=/dev/null bs=64k count=20 iflag=direct
                dd if=/dev/zero of=/dev/mapper/d bs=4k count=5 seek=3 oflag=direct
                for program in ours theirs; do
                    # dmsetup prints 0 for the time of service and for the requests that were joined in a second.
                    $program/dmstats report d --programid $program -o area_id,obj_type,stats_all --nameprefixes \\
                        --noheadings --separator ' ' | sed -E 's/DM_(SERVICE_TIME|[A-Z]*_MERGED_PER_SEC)=[^ ]*//g'
                    echo ==
                done
            done 2>/dev/null
            theirs/dmsetup remove d; losetup -d "$disk"
            END OF THE SCRIPT
            """)
        let reports = text.split(separator: "==").map { String($0.drop { $0 == "\n" }) }
        try #require(reports.count == 4 && reports[0].contains("DM_READ_COUNT='20'"))
        #expect(reports[0].contains("OBJ_TYPE='group'"))
        #expect(reports[0] == reports[1])
        #expect(reports[2] == reports[3])
    }
}
