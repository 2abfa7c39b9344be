/// Reads and writes sizes in the form that people use.
public enum ByteSize {
    /// Reads a size as Docker's options write it: a number, which may have a decimal point, and a suffix `b`, `k`, `m`,
    /// `g`, `t` or `p`, optionally with `b` or `ib` behind it, in either case.
    ///
    /// Every suffix is a power of 1024.
    ///
    /// - Returns: The size in bytes, or `nil` when `text` is not a size, or the size does not fit into 63 bits.
    public static func parse(_ text: String) -> UInt64? {
        let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        var suffix = text.dropFirst(digits.count).lowercased()
        if suffix.first == " " { suffix.removeFirst() }
        guard let multiplier = multiplier(of: suffix) else { return nil }
        if let whole = UInt64(digits) {
            let (product, overflow) = whole.multipliedReportingOverflow(by: multiplier)
            return overflow || product > Int64.max ? nil : product
        }
        guard let number = Double(digits), digits.first != ".", digits.last != "." else { return nil }
        let size = number * Double(multiplier)
        return size < 0x1p63 ? UInt64(size) : nil
    }

    private static func multiplier(of suffix: String) -> UInt64? {
        if suffix.isEmpty || suffix == "b" { return 1 }
        guard let first = suffix.first, ["", "b", "ib"].contains(suffix.dropFirst()),
            let power = "kmgtp".firstIndex(of: first)
        else { return nil }
        return 1 << (10 * UInt64("kmgtp".distance(from: "kmgtp".startIndex, to: power) + 1))
    }

    /// Writes a size as `docker info` does: powers of 1000, four significant digits, no space.
    public static func decimal(_ bytes: UInt64) -> String {
        var value = Double(bytes)
        var units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"][...]
        while value >= 1000, units.count > 1 {
            value /= 1000
            units = units.dropFirst()
        }
        return fourSignificantDigits(value) + (units.first ?? "")
    }

    /// Does what C's `%.4g` does for numbers from 0 to 9999.
    private static func fourSignificantDigits(_ value: Double) -> String {
        let decimals = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : value >= 1 ? 3 : 4
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let scaled = UInt64((value * scale).rounded(.toNearestOrEven))
        let whole = scaled / UInt64(scale)
        var fraction = String(scaled % UInt64(scale))
        if decimals == 0 { return "\(whole)" }
        fraction = String(repeating: "0", count: decimals - fraction.count) + fraction
        while fraction.last == "0" { fraction.removeLast() }
        return fraction.isEmpty ? "\(whole)" : "\(whole).\(fraction)"
    }
}
