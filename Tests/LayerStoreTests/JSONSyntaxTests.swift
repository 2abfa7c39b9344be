import Testing

@testable import LayerStore

@Suite struct JSONSyntaxTests {
    @Test(arguments: [
        ("{\n \"a\": [1,\n  oops]\n}", 3, 3), ("", 1, 1), ("{\"a\":1} x", 1, 9), ("[1,]", 1, 4), ("{\"a\" 1}", 1, 6),
        ("\"no end", 1, 8), ("{\"a\":1,}", 1, 8), ("[1.2.3]", 1, 2), ("nul", 1, 1),
    ])
    func findsTheFirstByteThatIsWrong(text: String, line: Int, column: Int) throws {
        let error = try #require(JSONSyntax.firstError(in: Array(text.utf8)))
        #expect(error == (line, column))
    }

    @Test(arguments: ["{}", "[]", " {\"a\": [1, -2.5e3, true, false, null, \"x\\\"y\"]} ", "\"\\u00e9\"", "0"])
    func findsNothingInJSON(text: String) {
        #expect(JSONSyntax.firstError(in: Array(text.utf8)) == nil)
    }

    @Test func survivesDeepNesting() {
        #expect(JSONSyntax.firstError(in: [UInt8](repeating: UInt8(ascii: "["), count: 1_000_000)) != nil)
    }
}
