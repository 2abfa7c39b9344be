/// The text of `dmsetup help`.
enum DMSetupHelp {
    static let text = """
        Usage: dmsetup COMMAND [ARGUMENT]... [OPTION]...

        A device is named by its name, by -u UUID, or by -j MAJOR -m MINOR.

        Make and change devices:
          create NAME [FILE]                  --table, --notable, --uuid, --major and --minor, --readonly, --uid, --gid,
                                              --mode, --readahead, --addnodeoncreate, --addnodeonresume
          create --concise [DEVICES]          name,uuid,minor,flags,table[,table]...[;...]
          load DEVICE [FILE]                  (or reload) --table, --readonly
          suspend DEVICE..., resume DEVICE... --noflush, --nolockfs
          clear DEVICE..., wipe_table DEVICE...
          rename DEVICE NEW_NAME              with --setuuid a new uuid
          remove DEVICE..., remove_all        --force, --deferred, --retry
          message DEVICE SECTOR WORD...
          setgeometry DEVICE CYLINDERS HEADS SECTORS START
          mknodes [DEVICE]..., mangle [DEVICE]...

        Look at devices:
          ls                                  --target, --exec, --tree, -o
          info [DEVICE]...                    -c with -o, -O, -S, --noheadings, --separator, --nameprefixes, --rows,
                                              --unquoted, --unbuffered
          deps [DEVICE]...                    -o devno, devname or blkdevname
          status [DEVICE]..., table [DEVICE]...
                                              --target, --inactive, --noflush; --showkeys, --concise
          measure [DEVICE]..., wait DEVICE [EVENT]
          targets, target-version TARGET..., version, splitname NAME [SUBSYSTEM]
          stats COMMAND                       see “stats help”

        Wait for udev's rules:
          udevcreatecookie, udevreleasecookie [COOKIE], udevcomplete COOKIE, udevcomplete_all [MINUTES],
          udevcookies, udevflags COOKIE; --udevcookie, --noudevrules, --noudevsync, --verifyudev
        """

    static func print(_ session: DMSetupSession) {
        DMSetupSession.complain(text)
        if session.options.has("columns") { DMSetupSession.complain(DMReportField.help(withTypes: false)) }
    }

    /// The text of `dmstats help`.
    static let statistics = """
        Usage: dmstats COMMAND [DEVICE]... [OPTION]...       (or dmsetup stats COMMAND)

          create DEVICE... | --alldevices     --start, --length, --segments, --areas or --areasize, --bounds, --precise,
                                              --programid, --userdata, --alias, --nogroup
          list [DEVICE]...                    --histogram, --area, --region, --group, --units, and the options of info -c
          report [DEVICE]...                  the same; --interval, --count, --raw, --relative, --notimesuffix
          print [DEVICE]...                   --regionid or --allregions, --clear
          clear [DEVICE]...                   --regionid or --allregions
          delete DEVICE... | --alldevices     --regionid, --groupid or --allregions
          group DEVICE... | --alldevices      --regions, --alias
          ungroup DEVICE... | --alldevices    --groupid
          version, help                       -c for the columns

        Every command but create takes the regions of the program “dmstats”; --programid or --allprograms takes others.
        """

    static func printStatistics(_ session: DMSetupSession) {
        DMSetupSession.complain(statistics)
        if session.options.has("columns") { DMSetupSession.complain(DMReportField.help(withTypes: false)) }
    }
}
