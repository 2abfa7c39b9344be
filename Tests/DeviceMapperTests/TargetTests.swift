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
    ]

    @Test(arguments: typed) func isReadIntoItsTypeAndPrintedAsItWas(line: String) throws {
        let entry = try #require(TableEntry(line))
        #expect(!entry.target.isOther)
        #expect(entry.description == line)
    }

    @Test(arguments: [
        "0 8 raid raid1 3 0 region_size 1024 2 - 7:0 - 7:1",
        "0 8 cache 254:0 254:1 254:2 512 1 writethrough smq 0",
        "0 8 multipath 0  0 1 1 service-time 0 1 2 8:0 1 1",
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
        #expect(entry.target.isOther)
        #expect(entry.description == line)
    }

    @Test func keepsAPathWithWhiteSpaceInOneWord() throws {
        let target = Target(type: "linear", parameters: #"/dev/my\ disk\\1 8"#)
        #expect(target == .linear(LinearTarget(device: .path(#"/dev/my disk\1"#), start: 8)))
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
        let target = Target.delay(DelayTarget(reads: slow, flushes: fast))
        #expect(target.parameters == "/dev/a 0 5 /dev/a 0 5 /dev/b 8 1")
        #expect(
            Target(type: "delay", parameters: target.parameters)
                == .delay(DelayTarget(reads: slow, writes: slow, flushes: fast)))
        #expect(Target.delay(DelayTarget(reads: slow, writes: fast)).parameters == "/dev/a 0 5 /dev/b 8 1")
    }

    @Test func readsWhateverItIsGiven() {
        var random = SeededRandom(seed: 1)
        let words = [
            "7:0", "0", "1", "2", "18446744073709551615", "18446744073709551616", "-1", "P", "N", "read_only", "\\",
            "\\ ",
            "\0", "é", "\u{301}", " ", "\t", ":", "/dev/x", "",
        ]
        let types = [
            "linear", "striped", "error", "zero", "delay", "flakey", "snapshot", "snapshot-merge", "snapshot-origin",
            "crypt", "thin-pool", "thin", "raid", "",
        ]
        for _ in 0..<20_000 {
            let parameters = (0..<Int.random(in: 0..<9, using: &random))
                .map { _ in words.randomElement(using: &random) ?? "" }.joined(separator: " ")
            let target = Target(type: types.randomElement(using: &random) ?? "", parameters: parameters)
            // What is printed is read as the same target, or it would not be the table that it came from.
            #expect(Target(type: target.type, parameters: target.parameters) == target)
        }
    }
}

extension Target {
    var isOther: Bool {
        if case .other = self { true } else { false }
    }
}
