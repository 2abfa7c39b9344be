internal import DeviceMapper

/// Sizes as dmsetup reads and prints them: with a letter for the unit, a capital one for multiples of 1000.
struct SizeUnits {
    private static let letters: [Character] = ["k", "m", "g", "t", "p", "e"]
    private static let bytesPerSector = Double(Sectors.bytesPerSector)

    /// How many bytes a printed unit has; `nil` takes the largest unit of each size.
    private let unit: Double?
    /// The step from a unit to the next.
    private let base: Double
    /// The digits behind the point; none for whole sectors and bytes.
    private let digits: Int
    /// Whether a size that is not exact has the sign `<`.
    private let showsRounding: Bool

    static let human = SizeUnits(unit: nil, base: 1024, digits: 2, showsRounding: false)

    private init(unit: Double?, base: Double, digits: Int, showsRounding: Bool) {
        (self.unit, self.base, self.digits, self.showsRounding) = (unit, base, digits, showsRounding)
    }

    /// Reads the value of `--units`: a letter, or a number of them.
    init?(_ text: String) {
        let count = text.prefix { $0.isNumber || $0 == "." }
        guard let letter = text.dropFirst(count.count).first else { return nil }
        if ["h", "H", "r", "R"].contains(letter), count.isEmpty {
            let (base, isRounded) = (letter.isLowercase ? 1024.0 : 1000, letter.lowercased() == "r")
            self.init(unit: nil, base: base, digits: 2, showsRounding: isRounded)
            return
        }
        guard let factor = Self.bytes(of: letter), let multiple = count.isEmpty ? 1 : Double(count), multiple > 0 else {
            return nil
        }
        let isWhole = count.isEmpty && ["b", "s"].contains(letter.lowercased())
        self.init(unit: factor * multiple, base: 1024, digits: isWhole ? 0 : 2, showsRounding: false)
    }

    /// How many bytes the unit of a letter has.
    private static func bytes(of letter: Character) -> Double? {
        switch letter {
        case "b", "B": return 1
        case "s", "S": return bytesPerSector
        default:
            guard let power = letters.firstIndex(of: Character(letter.lowercased())) else { return nil }
            let base = letter.isLowercase ? 1024.0 : 1000
            return (0...power).reduce(1) { product, _ in product * base }
        }
    }

    /// Reads a number with a unit behind it.
    ///
    /// - Parameter standard: The unit where the text has none.
    /// - Returns: The size in sectors, 0 for an unknown unit; `nil` where the text does not begin with a number.
    static func sectors(_ text: String, standard: Character) -> Double? {
        let digits = text.prefix { $0.isNumber || $0 == "." }
        guard let number = Double(digits) else { return nil }
        return number * (bytes(of: text.dropFirst(digits.count).first ?? standard) ?? 0) / bytesPerSector
    }

    /// The text of a size in sectors.
    func text(_ sectors: UInt64) -> String {
        guard sectors > 0 else { return "0" }
        let bytes = Double(sectors) * Self.bytesPerSector
        if let unit { return Decimal.text(bytes / unit, digits: digits) }
        var (value, suffix) = (bytes, "b")
        for letter in Self.letters where value >= base {
            value /= base
            suffix = base == 1000 ? letter.uppercased() : String(letter)
        }
        let text = Decimal.text(value, digits: suffix == "b" ? 0 : digits)
        let isRoundedUp = showsRounding && (value * 100).rounded() > value * 100
        return (isRoundedUp ? "<" : "") + text + suffix
    }
}

/// Numbers with digits behind the point.
enum Decimal {
    static func text(_ value: Double, digits: Int) -> String {
        let scale = (0..<digits).reduce(1.0) { product, _ in product * 10 }
        let whole = UInt64(exactly: (value * scale).rounded(.toNearestOrEven)) ?? .max
        guard digits > 0 else { return "\(whole)" }
        let fraction = String(whole % UInt64(scale))
        return "\(whole / UInt64(scale))." + String(repeating: "0", count: digits - fraction.utf8.count) + fraction
    }
}
