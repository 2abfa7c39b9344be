import DeviceMapper
import Testing

@Suite struct NameManglingTests {
    /// Texts of people, and what the kernel gets in the mode `auto`.
    private static let names = [
        ("plain", "plain"), ("#+-.:=@_09azAZ", "#+-.:=@_09azAZ"), ("c d", "c\\x20d"), ("tilde~%", "tilde\\x7e\\x25"),
        ("a/b", "a\\x2fb"), ("ü", "\\xc3\\xbc"), ("a\\b", "a\\x5cb"), ("", ""), ("tab\t", "tab\\x09"),
    ]

    @Test(arguments: names) func manglesAndUnmangles(text: String, kernel: String) throws {
        #expect(try NameMangling.auto.mangled(text) == kernel)
        #expect(try NameMangling.hex.mangled(text) == kernel)
        #expect(try NameMangling.none.mangled(text) == text)
        #expect(try NameMangling.auto.unmangled(kernel) == text)
        #expect(try NameMangling.hex.unmangled(kernel) == text)
        #expect(try NameMangling.none.unmangled(kernel) == kernel)
    }

    @Test func keepsWhatIsMangled() throws {
        #expect(try NameMangling.auto.mangled("c\\x20d") == "c\\x20d")
        #expect(try NameMangling.hex.mangled("c\\x20d") == "c\\x5cx20d")
    }

    @Test func refusesWhatIsNeither() throws {
        #expect(throws: NameMangling.Problem.isMixed) { try NameMangling.auto.mangled("c\\x20 d") }
        #expect(throws: NameMangling.Problem.isMangledTwice) { try NameMangling.auto.unmangled("c\\x5cx20d") }
        #expect(throws: NameMangling.Problem.hasForbiddenCharacters) { try NameMangling.auto.unmangled("c d") }
        #expect(try NameMangling.hex.unmangled("c d") == "c d")
    }

    @Test func takesBrokenEscapesForText() throws {
        for text in ["\\x", "\\x2", "\\xg0", "\\x+1", "\\x 1"] {
            let kernel = try NameMangling.auto.mangled(text)
            #expect(kernel.hasPrefix("\\x5cx"), "\(text)")
        }
    }
}
