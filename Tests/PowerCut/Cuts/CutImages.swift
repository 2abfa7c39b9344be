import SystemPackage
import TestSupport

/// Makes images of the disk as it may have been when the power was cut, at several moments of one run.
struct CutImages {
    /// The number of bytes that a disk writes as a whole, as today's disks do.
    private static let sectorSize = 4096

    let log: WriteLog
    /// The disk before the run.
    let base: FilePath
    /// Where the parts of the disk begin that stand for disks of their own, in bytes; the first is 0.
    ///
    /// A flush of one of them says nothing about what the others have in their caches.
    var parts: [Int64] = [0]
    /// How many of the last entries may not be in their place.
    let unsureEntries: Int
    /// Whether a cut just behind an entry is one of the more interesting ones.
    let isOfInterest: (WriteLog.Entry) -> Bool
    /// The text of the file `expectations`, from the marks before the cut, and those that a write of just before it may have
    /// been a part of.
    let expectations: (_ before: [String], _ around: [String]) -> String

    /// Makes a directory for each moment, with the image `disk` and the file `expectations`.
    ///
    /// Half of the moments are just behind an entry of interest.
    ///
    /// - Returns: A line about each.
    func make(_ count: Int, seed: UInt64, in directory: FilePath) throws -> [String] {
        var random = SeededRandom(seed: seed)
        let moments = try moments(count, using: &random)
        let working = directory.appending("working")
        try Shell.run("cp --sparse=always '\(base)' '\(working)'")
        let disk = try FileDescriptor.open(working, .readWrite, options: .closeOnExec)
        defer { try? disk.close() }
        // How far each part is on the medium.
        var applied = parts.map { _ in 0 }
        var lines: [String] = []
        for (number, moment) in moments.sorted(by: { $0.entry < $1.entry }).enumerated() {
            for part in parts.indices {
                let durable = durableEnd(of: part, before: moment.entry)
                for entry in entries(of: part, applied[part]..<durable) { try write(entry, to: disk) { true } }
                applied[part] = durable
            }
            let image = directory.appending("\(number + 1)")
            try Shell.run("mkdir '\(image)' && cp --sparse=always '\(working)' '\(image)/disk'")
            let copy = try FileDescriptor.open(image.appending("disk"), .readWrite, options: .closeOnExec)
            defer { try? copy.close() }
            let flush = log.entries[moment.entry...].firstIndex { $0.isFlush } ?? log.entries.endIndex
            var cached = 0
            for part in parts.indices {
                for index in applied[part]..<flush where belongs(index, to: part) {
                    let entry = log.entries[index]
                    let isSure = entry.isForced && index < moment.entry
                    cached += isSure || entry.length == 0 ? 0 : 1
                    try write(entry, to: copy) { isSure || Double.random(in: 0..<1, using: &random) < moment.share }
                }
            }
            let text = expectations(
                log.entries[..<moment.entry].compactMap(\.mark), log.entries[moment.entry..<flush].compactMap(\.mark))
            try TextFile.write(text, to: image.appending("expectations"))
            lines.append(
                "cut \(number + 1): behind write \(moment.entry) of \(log.entries.count), "
                    + "with \(Int(moment.share * 100))% of the \(cached) in the cache")
        }
        try Shell.run("rm '\(working)'")
        return lines
    }

    /// Chooses where to cut: how many entries come before, and how likely each block in the disk's cache is to have been
    /// written.
    private func moments(_ count: Int, using random: inout SeededRandom) throws -> [(entry: Int, share: Double)] {
        let sure = log.entries.indices.dropLast(unsureEntries)
        let interesting = interestingEntries(sure)
        guard !interesting.isEmpty else { throw PowerCutError("nothing of interest has happened in this run") }
        return (0..<count).map { number in
            let entry =
                (number % 2 == 0 ? interesting.randomElement(using: &random)?.randomElement(using: &random) : nil)
                ?? sure.randomElement(using: &random) ?? 0
            return (entry: entry + 1, share: [0.0, 0.0, 0.5, 1.0].randomElement(using: &random) ?? 0)
        }
    }

    /// The entries of interest from each mark to the next one, so that long steps have no more cuts than short ones.
    private func interestingEntries(_ range: Range<Int>) -> [[Int]] {
        var groups: [[Int]] = [[]]
        for index in range {
            let entry = log.entries[index]
            if entry.mark != nil { groups.append([]) }
            if isOfInterest(entry) { groups[groups.count - 1].append(index) }
        }
        return groups.filter { !$0.isEmpty }
    }

    private func part(at offset: Int64) -> Int { (parts.lastIndex { $0 <= offset }) ?? 0 }

    private func belongs(_ index: Int, to part: Int) -> Bool { self.part(at: log.entries[index].offset) == part }

    private func entries(of part: Int, _ range: Range<Int>) -> [WriteLog.Entry] {
        range.filter { belongs($0, to: part) }.map { log.entries[$0] }
    }

    /// The end of what is on the medium at a moment, but for writes that were forced: the last flush before it.
    private func durableEnd(of part: Int, before moment: Int) -> Int {
        log.entries[..<moment].indices.last { log.entries[$0].isFlush && belongs($0, to: part) } ?? 0
    }

    /// Writes those blocks of an entry that `chooses` takes.
    private func write(_ entry: WriteLog.Entry, to disk: FileDescriptor, _ chooses: () -> Bool) throws {
        let data = try log.data(of: entry)
        var position = 0
        while position < data.count {
            let within = Int((entry.offset + Int64(position)) % Int64(Self.sectorSize))
            let end = min(data.count, position + Self.sectorSize - within)
            if chooses() {
                _ = try disk.writeAll(toAbsoluteOffset: entry.offset + Int64(position), data[position..<end])
            }
            position = end
        }
    }
}
