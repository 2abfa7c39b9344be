internal import CShims
internal import SystemPackage

/// The part of an archive that was read and not yet used.
struct InputBuffer {
    static let capacity = 1 << 20

    private let input: any ArchiveInput
    private var bytes: [UInt8] = []
    private var start = 0
    /// The byte offset in the archive of what comes next.
    private(set) var offset: Int64 = 0

    init(_ input: any ArchiveInput) {
        self.input = input
        bytes.reserveCapacity(Self.capacity)
        // With more room in the pipe, reader and writer wait less for each other. The call fails for other files.
        if let descriptor = input as? FileDescriptor {
            _ = dmshim_set_pipe_size(descriptor.rawValue, CInt(Self.capacity))
        }
    }

    /// How many bytes can be used without reading.
    var count: Int { bytes.count - start }

    /// Lends the first bytes, of which there must be as many.
    func withPrefix<Answer, Failure: Error>(
        _ count: Int, _ body: (Span<UInt8>) throws(Failure) -> Answer
    ) throws(Failure) -> Answer {
        try body(bytes.span.extracting(start..<(start + count)))
    }

    /// Goes on by bytes that were used, of which there must be as many.
    mutating func consume(_ count: Int) {
        start += count
        offset += Int64(count)
        if start == bytes.count {
            bytes.removeAll(keepingCapacity: true)
            start = 0
        }
    }

    /// Goes on without reading, by as many bytes as the input can skip, and those that were read already.
    ///
    /// - Returns: How many bytes were passed over, at most `count`.
    mutating func skip(_ wanted: Int64) throws(LayerArchiveError) -> Int64 {
        guard wanted > Int64(count) else { return 0 }
        var skipped = Int64(count)
        consume(count)
        do {
            let more = try input.skip(wanted - skipped)
            offset += more
            skipped += more
        } catch {
            throw LayerArchiveError(.input, "cannot read the archive", errno: error)
        }
        return skipped
    }

    /// Reads until there are `wanted` bytes, at most the capacity.
    ///
    /// - Returns: `false` when the input ends before.
    mutating func fill(_ wanted: Int) throws(LayerArchiveError) -> Bool {
        while count < wanted {
            if start > 0, Self.capacity - bytes.count < max(wanted - count, 1 << 16) {
                bytes.removeSubrange(..<start)
                start = 0
            }
            let before = bytes.count
            do {
                try bytes.append(addingCapacity: Self.capacity - before) { [input] (free) throws(Errno) in
                    try input.read(into: &free)
                }
            } catch {
                throw LayerArchiveError(.input, "cannot read the archive", errno: error)
            }
            if bytes.count == before { return false }
        }
        return true
    }
}
