import LayerStore
import Testing

/// Sizes as Docker reads and prints them.
struct ByteSizeTests {
    @Test(
        arguments: [
            ("0", 0), ("42", 42), ("42b", 42), ("1k", 1024), ("1K", 1024), ("1kb", 1024), ("1KiB", 1024),
            ("64 k", 65536),
            ("1.5k", 1536), ("10g", 10 << 30), ("10GB", 10 << 30), ("0.5G", 1 << 29), ("2T", 2 << 40), ("1p", 1 << 50),
            ("9223372036854775807", Int64.max),
        ] as [(String, Int64)]) func reads(text: String, bytes: Int64)
    {
        #expect(ByteSize.parse(text) == UInt64(bytes))
    }

    @Test(arguments: [
        "", " ", "k", "-1", "+1", "1e3", "1x", "1kk", "1ibk", "1  k", "1.2.3", "0x10", "1,5k", "١k", "1k ", "8192p",
        "9223372036854775808", "18446744073709551616", "99999999999999999999.5p",
    ]) func refuses(text: String) {
        #expect(ByteSize.parse(text) == nil)
    }

    @Test(
        arguments: [
            (0, "0B"), (1, "1B"), (999, "999B"), (1000, "1kB"), (65536, "65.54kB"), (524_288, "524.3kB"),
            (999_999, "1000kB"), (1_000_000, "1MB"), (10_737_418_240, "10.74GB"), (107_374_182_400, "107.4GB"),
            (2_147_483_648, "2.147GB"), (300 << 20, "314.6MB"), (1 << 40, "1.1TB"), (UInt64.max, "18.45EB"),
        ] as [(UInt64, String)]) func prints(bytes: UInt64, text: String)
    {
        #expect(ByteSize.decimal(bytes) == text)
    }
}
