import SystemPackage
import TestSupport

extension LVMTests {
    /// How often the newest text is within the mebibyte of the third disk that begins at a byte.
    private func newestTexts(from offset: Int) throws -> String {
        let newest = try report("vgs --noheadings -o seqno docker")
        return try shell.output(
            """
            dd if=/dev/ubdc bs=1M iflag=skip_bytes,direct skip=\(offset) count=1 | tr '\\0' '\\n' \
            | grep -ac '^seqno = \(newest)$'
            """)
    }

    /// A physical volume with a second metadata area at its end.
    func keepsSecondAreas() throws {
        let pool = "--pool docker/thinpool"
        try makeSmallGroup(on: "/dev/ubda")
        try shell.run("pvcreate -qq -y --pvmetadatacopies 2 /dev/ubdc")
        try checkWithLVM2("before a device with two metadata areas is added")
        try layer("pool activate \(pool)")
        checks.check(
            "it is added and filled",
            count("0B of the volume group are free", in: try layer("pool extend \(pool) /dev/ubdc")) == 1)
        try checkWithLVM2("with a device with two metadata areas, full")
        checks.check(
            "lvm2 counts the areas",
            try report("pvs --noheadings -o pv_mda_count,pv_mda_used_count,pv_free --units b /dev/ubdc"), "2 2 0B")
        let numbers = try report("pvs --noheadings --nosuffix --units b -o pe_start,pv_pe_count /dev/ubdc")
            .split(separator: " ").compactMap { Int($0) }
        guard numbers.count == 2 else { throw CheckError("lvm2 does not say where the extents are") }
        let end = numbers[0] + numbers[1] * 4_194_304
        checks.check("its last extent ends before the area", end <= 1_073_741_824 - 1_048_576)
        try shell.run(
            """
            head -c 4194304 /dev/urandom > /run/pattern
            dd if=/run/pattern of=/dev/ubdc bs=1M oflag=seek_bytes,direct seek=\(end - 4_194_304) conv=notrunc,fsync \
                status=none
            for tag in a b c d e f; do vgchange -qq --addtag $tag docker; done
            """)
        checks.check(
            "we write the text once more", count("more for data", in: try layer("pool extend \(pool) /dev/ubdb")) == 1)
        checks.check(
            "what is on the last extent is still there",
            try shell.everything(
                """
                dd if=/dev/ubdc bs=1M iflag=skip_bytes,direct skip=\(end - 4_194_304) count=4 status=none \
                | cmp - /run/pattern
                """), "")
        checks.check(
            "both areas have the newest text",
            "\(try newestTexts(from: 0)) \(try newestTexts(from: 1_073_741_824 - 1_048_576))", "1 1")
        try checkWithLVM2("after that")
        try layer("pool deactivate \(pool)")
        try clearDisks()
    }

    /// The features of a pool's table are lvm2's, and those of an active pool stay when it grows.
    func makesLVM2sFeatures() throws {
        let pool = "--pool docker/thinpool"
        func tablesOfLVM2() throws -> String {
            _ = try quiet("lvchange -ay docker/thinpool")
            let tables = try devices()
            _ = try quiet("lvchange -an docker/thinpool")
            return tables
        }
        try makeSmallGroup(on: "/dev/ubdc")
        for change in [
            "--errorwhenfull y", "--discards nopassdown", "--discards ignore", "--zero y", "--errorwhenfull n",
        ] {
            _ = try quiet("lvchange -qq \(change) docker/thinpool")
            let theirs = try tablesOfLVM2()
            try layer("pool activate \(pool)")
            checks.check("with \(change) our tables are lvm2's", try devices(), theirs)
            try layer("pool deactivate \(pool)")
        }
        try rewrite("/discards = /d")
        let theirs = try tablesOfLVM2()
        try layer("pool activate \(pool)")
        checks.check(
            "and with an old text that has no discards",
            "\(try devices())\n\(count("ignore_discard", in: theirs))", "\(theirs)\n1")
        try shell.run(
            """
            table=$(dmsetup table docker-thinpool)
            dmsetup load docker-thinpool \
                --table "${table% [0-9] ignore_discard*} 3 skip_block_zeroing ignore_discard error_if_no_space"
            dmsetup suspend --noflush docker-thinpool
            dmsetup resume docker-thinpool
            """)
        func features() throws -> String { try shell.output("dmsetup table docker-thinpool | cut -d ' ' -f 8-") }
        let before = try features()
        checks.check("an active pool grows", count("more for data", in: try layer("pool extend \(pool)")) == 1)
        checks.check("and keeps the features of its table", try features(), before)
        try layer("pool deactivate \(pool)")
        try clearDisks()
    }
}
