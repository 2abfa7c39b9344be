import TestSupport
import Testing

@testable import DeviceMapper

@Suite struct TargetTests {
    /// Lines of tables as kernels print them.
    static let typed = [
        "0 1000 linear 7:0 8",
        "0 2048 striped 2 128 7:0 0 7:1 2048",
        "0 10 error",
        "0 10 zero",
        "0 100 delay 7:0 0 5",
        "0 100 delay 7:0 0 5 7:1 8 10",
        "0 100 delay 7:0 0 5 7:1 8 10 7:0 16 20",
        "0 100 flakey 7:0 0 5 2 0",
        "0 100 flakey 7:0 0 5 2 1 error_writes",
        "0 100 flakey 7:0 0 5 2 5 corrupt_bio_byte 32 r 1 0",
        "0 1024 snapshot 7:0 7:1 P 8",
        "0 1024 snapshot 7:0 7:1 PO 8",
        "0 1024 snapshot 7:0 7:1 N 16 2 discard_zeroes_cow discard_passdown_origin",
        "0 1024 snapshot-merge 7:0 7:1 P 8",
        "0 1024 snapshot-origin 7:0",
        "0 1000 crypt aes-xts-plain64 0123456789abcdef0123456789abcdef 0 7:1 100",
        "0 1000 crypt capi:xts(aes)-plain64 :32:logon:disk 0 7:1 100 2 allow_discards sector_size:4096",
        "0 1000 crypt cipher_null-ecb - 0 7:1 0",
        "0 20480 thin-pool 254:0 254:1 128 0 0",
        "0 20480 thin-pool 254:0 254:1 2097152 1024 3 skip_block_zeroing read_only error_if_no_space",
        "0 20480 thin-pool 254:0 254:1 128 0 2 ignore_discard error_if_no_space",
        "0 20480 thin-pool 254:0 254:1 128 0 1 no_discard_passdown",
        "0 2048 thin 254:2 16777215",
        "0 2048 thin 254:2 1 7:0",
        "0 1024 unstriped 2 128 1 7:0 0",
        "0 1024 switch 3 16 0 7:0 0 7:1 0 7:2 64",
        "0 1024 ebs 7:0 0 1",
        "0 1024 ebs 7:0 0 1 8",
        "0 1024 dust 7:0 0 512",
        "0 1024 log-writes 7:0 7:1",
        "0 1024 verity 1 7:0 7:1 4096 4096 128 1 sha256 4392712ba01368efdf14b05c76f9e4df0d53664630b5d48632ed17a137f39076 -",
        "0 1024 verity 1 7:0 7:1 4096 4096 128 1 sha256 43 8f 2 restart_on_corruption ignore_zero_blocks",
        "0 1024 integrity 7:0 0 32 J 4 internal_hash:crc32c journal_sectors:88 interleave_sectors:32768 fix_padding",
        "0 1024 integrity 7:0 8 - D 0",
        "0 4096 cache 254:0 254:1 254:2 512 1 writethrough smq 0",
        "0 4096 cache 254:0 254:1 254:2 128 2 metadata2 writeback mq 2 sequential_threshold 1024",
        "0 4096 writecache s 7:0 7:1 4096 2 high_watermark 60",
        "0 4096 clone 254:0 254:1 254:2 8",
        "0 4096 clone 254:0 254:1 254:2 8 1 no_hydration",
        "0 4096 clone 254:0 254:1 254:2 8 0 2 hydration_threshold 4",
        "0 4096 era 254:0 254:1 128",
        "0 8 raid raid1 3 0 region_size 1024 2 - 7:0 - 7:1",
        "0 8 raid raid5_ls 3 128 region_size 1024 4 254:0 7:0 254:1 7:1 - - 254:3 7:3",
        "0 8 mirror core 2 1024 nosync 2 7:0 0 7:1 8",
        "0 8 mirror disk 2 7:2 1024 2 7:0 0 7:1 0 1 handle_errors",
        "0 8 multipath 0 0 1 1 service-time 0 2 2 8:0 1 1 8:16 1 2",
        "0 8 multipath 1 queue_if_no_path 1 alua 2 2 round-robin 0 1 1 8:0 1000 queue-length 0 1 0 8:16",
        "0 8 vdo V4 7:0 1048576 4096 32768 16380 deduplication on compression off",
    ]

    @Test func hasALineForEachType() {
        #expect(Set(Self.typed.compactMap { TableEntry($0)?.target.type }) == Set(Target.types.map { $0.type }))
    }

    @Test(arguments: typed) func isReadIntoItsTypeAndPrintedAsItWas(line: String) throws {
        let entry = try #require(TableEntry(line))
        #expect(entry.description == line)
        let typed = try #require(entry.target.typed)
        #expect(Target(typed) == entry.target)
        // Nothing is read beyond what the type knows; VDO takes any keys and values.
        let longer = Target(type: entry.target.type, parameters: entry.target.parameters + " 1 2 3 4 5")
        #expect(longer.typed == nil || longer.type == "vdo")
    }

    /// A type that this library does not have.
    struct FutureTarget: TypedTarget {
        static let type = "future"
        var device: TargetDevice
        var speed: UInt64

        init(device: TargetDevice, speed: UInt64) {
            self.device = device
            self.speed = speed
        }

        init?(_ words: inout TargetWords) {
            guard let device = words.device(), let speed = words.number() else { return nil }
            self.init(device: device, speed: speed)
        }

        var parameters: String { "\(device) \(speed)" }
    }

    @Test func takesATypeOfAnotherProgram() throws {
        let target = FutureTarget(device: .path("/dev/a b"), speed: 88)
        let table = MappingTable(target, length: 8)
        #expect(table.description == #"0 8 future /dev/a\ b 88"#)
        let read = try MappingTable(parsing: table.description)
        #expect(read == table)
        #expect(read.entries.first?.target.as(FutureTarget.self) == target)
        #expect(read.entries.first?.target.as(LinearTarget.self) == nil)
    }

    @Test(arguments: [
        "0 8 raid raid1 3 0 region_size 1024 3 - 7:0 - 7:1",
        "0 8 cache 254:0 254:1 254:2 512 2 writethrough smq",
        "0 8 multipath 0 0 2 1 service-time 0 1 2 8:0 1 1",
        "0 8 multipath 0 0 1 1 service-time 0 1 2 8:0 1",
        "0 8 mirror core 2 1024 nosync 3 7:0 0 7:1 8",
        "0 8 switch 18446744073709551615 16 0 7:0 0",
        "0 8 integrity 7:0 0 32 X 0",
        "0 8 no-such-target 7:0",
        "0 8 linear 7:0",
        "0 8 linear 7:0 0 8",
        "0 8 linear 7:0 -1",
        "0 8 striped 3 8 7:0 0 7:1 0",
        "0 8 striped 18446744073709551615 8 7:0 0",
        "0 8 delay 7:0 0 5 7:1 8",
        "0 8 flakey 7:0 0 5 2 2 error_writes",
        "0 8 snapshot 7:0 7:1 X 8",
        "0 8 snapshot-origin 7:0 7:1",
        "0 8 crypt aes-xts-plain64 00",
        "0 8 thin-pool 254:0 254:1 128 0 1 metadata_on_the_moon",
        "0 8 thin-pool 254:0 254:1 128 0 18446744073709551615 read_only",
        "0 8 thin 254:2 99999999999999999999",
        "0 8 error 1",
    ])
    func isKeptAsTextWhenThereIsNoTypeForIt(line: String) throws {
        let entry = try #require(TableEntry(line))
        #expect(entry.target.typed == nil)
        #expect(entry.description == line)
    }

    @Test func keepsAPathWithWhiteSpaceInOneWord() throws {
        let target = Target(type: "linear", parameters: #"/dev/my\ disk\\1 8"#)
        #expect(target.as(LinearTarget.self) == LinearTarget(device: .path(#"/dev/my disk\1"#), start: 8))
        #expect(Target(LinearTarget(device: .path(#"/dev/my disk\1"#), start: 8)) == target)
        #expect(target.parameters == #"/dev/my\ disk\\1 8"#)
    }

    @Test func takesABackslashAtTheEndForItself() {
        var words = TargetWords("  a\\ b\tc\n\\")
        #expect(words.next() == "a b")
        #expect(words.next() == "c")
        #expect(words.next() == "\\")
        #expect(words.isEmpty)
    }

    @Test func zerosTheDigitsOfAKeyOnly() {
        func redacted(_ parameters: String) -> String {
            Target(type: "crypt", parameters: parameters).redacted.parameters
        }
        #expect(redacted("aes-xts-plain64 0a1b2c3d 0 7:1 100") == "aes-xts-plain64 00000000 0 7:1 100")
        #expect(redacted("aes-xts-plain64 :32:logon:disk 0 7:1 100") == "aes-xts-plain64 :32:logon:disk 0 7:1 100")
        #expect(redacted("aes-xts-plain64 - 0 7:1 100") == "aes-xts-plain64 - 0 7:1 100")
        #expect(!redacted("some new form 0a1b2c3d").contains("0a1b2c3d"))
    }

    @Test func zerosTheKeysOfIntegrityOnly() {
        func redacted(_ parameters: String) -> String {
            Target(type: "integrity", parameters: parameters).redacted.parameters
        }
        let plain = "7:0 0 32 J 5 block_size:512 meta_device:7:1 internal_hash:crc32c journal_sectors:88 fix_hmac"
        #expect(redacted(plain) == plain)
        #expect(
            redacted(
                "7:0 0 32 J 4 internal_hash:hmac(sha256):0a1b journal_crypt:ctr(aes):c0ffee journal_mac:hmac(sha256):ab "
                    + "buffer_sectors:128")
                == "7:0 0 32 J 4 internal_hash:hmac(sha256):0000 journal_crypt:ctr(aes):000000 "
                + "journal_mac:hmac(sha256):00 buffer_sectors:128")
    }

    /// The kernel takes the second path for writes, whatever it was meant for.
    @Test func givesFlushesAPathOfTheirOwn() throws {
        let (slow, fast) = (
            DelayTarget.Path(device: .path("/dev/a"), start: 0, milliseconds: 5),
            DelayTarget.Path(device: .path("/dev/b"), start: 8, milliseconds: 1)
        )
        let target = DelayTarget(reads: slow, flushes: fast)
        #expect(target.parameters == "/dev/a 0 5 /dev/a 0 5 /dev/b 8 1")
        #expect(
            Target(target).as(DelayTarget.self)
                == DelayTarget(reads: slow, writes: slow, flushes: fast))
        #expect(DelayTarget(reads: slow, writes: fast).parameters == "/dev/a 0 5 /dev/b 8 1")
    }

    @Test func readsWhateverItIsGiven() throws {
        var random = SeededRandom(seed: 1)
        let words = [
            "7:0", "0", "1", "2", "18446744073709551615", "18446744073709551616", "-1", "P", "N", "read_only", "\\",
            "\\ ",
            "\0", "é", "\u{301}", " ", "\t", ":", "/dev/x", "",
        ]
        for _ in 0..<20_000 {
            let parameters = (0..<Int.random(in: 0..<9, using: &random))
                .map { _ in words.randomElement(using: &random) ?? "" }.joined(separator: " ")
            let type = Target.types.randomElement(using: &random)?.type ?? ""
            let target = Target(type: type, parameters: parameters)
            // A printed target is read as the same target, or it would not be the table that it came from.
            #expect(Target(type: target.type, parameters: target.parameters) == target)
            guard let typed = target.typed else { continue }
            let again = try #require(Target(typed).typed, "\(target) becomes \(Target(typed))")
            #expect(Target(again) == Target(typed))
        }
    }
}
