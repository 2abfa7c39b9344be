/// Where the data of a file with holes is, in the forms in which archives say it.
struct SparseMap {
    /// The most ranges of data of a file that are read.
    static let mostRanges = 1 << 18
    /// The most that are written; a file with more is written with zeros for its holes.
    static let mostWrittenRanges = 1 << 16

    /// Ascending and apart from each other, and within the size.
    let dataRanges: [Range<Int64>]
    /// How many bytes of data there are.
    let storedSize: Int64

    /// Checks a list of offsets and lengths, one pair after the other.
    init(pairs: [Int64], size: Int64) throws(LayerArchiveError) {
        guard pairs.count.isMultiple(of: 2) else {
            throw LayerArchiveError(.malformed, "the map of the holes has an offset without a length")
        }
        guard pairs.count / 2 <= Self.mostRanges + 1 else { throw Self.tooManyRanges }
        var ranges: [Range<Int64>] = []
        var stored: Int64 = 0
        for index in stride(from: 0, to: pairs.count, by: 2) {
            let (offset, length) = (pairs[index], pairs[index + 1])
            guard offset >= ranges.last?.upperBound ?? 0, offset <= size, length >= 0, length <= size - offset else {
                throw LayerArchiveError(.malformed, "the map of the holes is out of order or beyond the size")
            }
            // GNU tar ends the map with an empty range at the end of the file.
            guard length > 0 else { continue }
            ranges.append(offset..<(offset + length))
            stored += length
        }
        dataRanges = ranges
        storedSize = stored
    }

    static let tooManyRanges = LayerArchiveError(
        .unsupported, "a file has more than \(mostRanges) ranges of data between its holes")

    /// Reads the entries of an old GNU header or one of its continuations: 12 bytes of offset, 12 of length.
    static func pairs(in block: TarBlock, at start: Int, count: Int) throws(LayerArchiveError) -> [Int64] {
        var pairs: [Int64] = []
        for position in 0..<count {
            let entry = start + 24 * position
            // An entry that is not used is blank.
            guard block.bytes[entry] != 0 else { break }
            pairs.append(try block.number(entry..<(entry + 12), "offset in the map of the holes"))
            pairs.append(try block.number((entry + 12)..<(entry + 24), "length in the map of the holes"))
        }
        return pairs
    }

    /// Reads pax format 0.1, one record of all numbers, or 0.0, one record for each.
    static func pairs(in pax: PaxRecords) throws(LayerArchiveError) -> [Int64]? {
        var pairs: [Int64] = []
        if let map = pax.value(of: "GNU.sparse.map") {
            // One number after the other: as a list of its parts, a map would take many times its size.
            var rest = map[...]
            while true {
                let digits = rest.prefix { $0 != UInt8(ascii: ",") }
                try append(digits, to: &pairs)
                guard digits.endIndex < rest.endIndex else { return pairs }
                rest = rest[(digits.endIndex + 1)...]
            }
        }
        guard pax.value(of: "GNU.sparse.numblocks") != nil else { return nil }
        for (keyword, value) in pax.records
        where keyword.elementsEqual("GNU.sparse.offset".utf8) || keyword.elementsEqual("GNU.sparse.numbytes".utf8) {
            try append(value[...], to: &pairs)
        }
        return pairs
    }

    private static func append(_ digits: ArraySlice<UInt8>, to pairs: inout [Int64]) throws(LayerArchiveError) {
        guard let number = PaxRecords.number(digits) else {
            throw LayerArchiveError(.malformed, "the map of the holes has something else than numbers")
        }
        guard pairs.count <= 2 * mostRanges + 1 else { throw tooManyRanges }
        pairs.append(number)
    }

    /// The map as pax format 1.0 puts it before the data: lines of numbers, filled up with zeros to a whole block.
    static func encoded(_ dataRanges: [Range<Int64>], size: Int64) -> [UInt8] {
        var ranges = dataRanges
        // Where the last hole ends is said by an empty range.
        if ranges.last?.upperBound ?? 0 < size { ranges.append(size..<size) }
        let numbers = [Int64(ranges.count)] + ranges.flatMap { [$0.lowerBound, $0.upperBound - $0.lowerBound] }
        var bytes = numbers.flatMap { Array("\($0)\n".utf8) }
        bytes += [UInt8](repeating: 0, count: (TarBlock.size - bytes.count % TarBlock.size) % TarBlock.size)
        return bytes
    }
}
