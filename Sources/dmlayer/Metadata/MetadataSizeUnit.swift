/// A unit of the sizes of `thin_metadata_size`.
struct MetadataSizeUnit {
    /// The name in the singular.
    let name: String
    /// The letter that stands for it; decimal units have capitals.
    let letter: String
    private let symbol: String
    private let size: UInt64

    static let sector = MetadataSizeUnit("sector", "s", "sector", 512)

    /// A tebibyte is called a terabyte, as `thin_metadata_size` does.
    private static let all: [(MetadataSizeUnit, fullName: String)] =
        [
            (MetadataSizeUnit("byte", "b", "byte", 1), "byte"), (sector, "sector"),
            (MetadataSizeUnit("terabyte", "t", "TiB", 1 << 40), "tebibyte"),
        ]
        + [
            MetadataSizeUnit("kibibyte", "k", "KiB", 1 << 10), MetadataSizeUnit("mebibyte", "m", "MiB", 1 << 20),
            MetadataSizeUnit("gibibyte", "g", "GiB", 1 << 30), MetadataSizeUnit("pebibyte", "p", "PiB", 1 << 50),
            MetadataSizeUnit("exbibyte", "e", "EiB", 1 << 60), MetadataSizeUnit("kilobyte", "K", "kB", 1000),
            MetadataSizeUnit("megabyte", "M", "MB", 1_000_000), MetadataSizeUnit("gigabyte", "G", "GB", 1_000_000_000),
            MetadataSizeUnit("terabyte", "T", "TB", 1_000_000_000_000),
            MetadataSizeUnit("petabyte", "P", "PB", 1_000_000_000_000_000),
            MetadataSizeUnit("exabyte", "E", "EB", 1_000_000_000_000_000_000),
        ].map { ($0, $0.name) }

    private init(_ name: String, _ letter: String, _ symbol: String, _ size: UInt64) {
        (self.name, self.letter, self.symbol, self.size) = (name, letter, symbol, size)
    }

    /// The unit of a name, a letter or a symbol.
    init?(_ text: String) {
        guard let found = Self.all.first(where: { $0.fullName == text || $0.0.letter == text || $0.0.symbol == text })
        else { return nil }
        self = found.0
    }

    /// Reads a number with a unit behind it, which is the sector where there is none.
    static func bytes(_ text: String) throws(ToolArguments.NumberError) -> UInt64 {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        let number: UInt64 = try ToolArguments.number(String(digits))
        let rest = text.dropFirst(digits.count)
        guard let unit = rest.isEmpty ? sector : MetadataSizeUnit(String(rest)) else {
            throw ToolArguments.NumberError(reason: "Invalid unit specifier")
        }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit.size)
        guard !overflow else { throw ToolArguments.NumberError(reason: "value out of bounds") }
        return bytes
    }

    /// A number of bytes in this unit: a whole number, two digits behind the point, or all that it has if it is below one.
    func text(ofBytes bytes: UInt64) -> String {
        if bytes % size == 0 { return "\(bytes / size)" }
        let value = Double(bytes) / Double(size)
        if value < 1 { return roundedUp(Self.plain(value), bytes) }
        let hundredths = (value * 100).rounded(.toNearestOrEven)
        let (whole, part) = UInt64(hundredths).quotientAndRemainder(dividingBy: 100)
        return "\(whole).\(part < 10 ? "0" : "")\(part)"
    }

    /// Of two shortest texts that are equally near, `thin_metadata_size` prints the larger one, and Swift the even one.
    private func roundedUp(_ text: String, _ bytes: UInt64) -> String {
        guard size.nonzeroBitCount == 1 else { return text }
        var remainder = bytes % size
        var digits = ""
        for _ in text.dropFirst(2) {
            let (digit, rest) = (remainder * 10).quotientAndRemainder(dividingBy: size)
            digits += "\(digit)"
            remainder = rest
        }
        guard remainder * 2 == size, text == "0." + digits, let last = digits.last?.wholeNumberValue, last < 9 else {
            return text
        }
        return "0." + digits.dropLast() + "\(last + 1)"
    }

    /// The shortest digits of a number below one, without an exponent.
    private static func plain(_ value: Double) -> String {
        let text = "\(value)"
        guard let place = text.firstIndex(of: "e"), let exponent = Int(text[text.index(after: place)...]) else {
            return text
        }
        let digits = text[..<place].filter { $0 != "." }
        // “4.0e-07” has a digit that says nothing.
        let shown = digits.count > 1 && digits.hasSuffix("0") ? digits.dropLast() : digits[...]
        return "0." + String(repeating: "0", count: -exponent - 1) + shown
    }
}
