#if Images
import LayerArchive
import SystemPackage
import TestSupport
import Testing

@testable import Images

/// Content that the programs compressed comes out as it was, and broken content is refused.
@Suite struct CompressionTests {
    private static let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 100 * ($0 & 3)) }

    /// The content, compressed by a program.
    private func compressed(_ program: String) throws -> [UInt8] {
        let scratch = try ScratchDirectory()
        let (plain, packed) = (scratch.appending("plain"), scratch.appending("packed"))
        let file = try FileDescriptor.open(plain, .writeOnly, options: .create, permissions: [.ownerReadWrite])
        _ = try file.closeAfter { try file.writeAll(Self.content) }
        try Shell.run("{ \(program); } < '\(plain)' > '\(packed)'")
        let result = try FileDescriptor.open(packed, .readOnly)
        return try result.closeAfter { try Self.all(of: result) }
    }

    private static func all(of input: any ArchiveInput) throws -> [UInt8] {
        var content: [UInt8] = []
        var before = -1
        while content.count > before {
            before = content.count
            try content.append(addingCapacity: 70_001) { (free) throws(Errno) in try input.read(into: &free) }
        }
        return content
    }

    private static func decompressed(_ bytes: [UInt8]) throws -> [UInt8] {
        let input = try BegunInput(Bytes(bytes)).decompressed()
        return try all(of: #require(input))
    }

    @Test(arguments: ["gzip -c", "gzip -c -9; printf end | gzip -c", "zstd -qc", "zstd -qc -19; printf end | zstd -qc"])
    func decompresses(program: String) throws {
        let isDoubled = program.contains("end")
        #expect(try Self.decompressed(compressed(program)) == Self.content + (isDoubled ? Array("end".utf8) : []))
    }

    @Test(arguments: ["gzip -c", "zstd -qc --check"])
    func refusesWhatIsBroken(program: String) throws {
        let whole = try compressed(program)
        var changed = whole
        changed[whole.count / 2] ^= 0x55
        for broken in [Array(whole.dropLast()), Array(whole.prefix(50)), changed, whole + [1, 2, 3, 4]] {
            let decompressed = try BegunInput(Bytes(broken)).decompressed()
            let input = try #require(decompressed)
            #expect(throws: Errno.badMessage) { try Self.all(of: input) }
            #expect(input.complaint != nil)
        }
    }

    @Test func compressesWithGzip() throws {
        let output = Bytes([])
        let gzip = try GzipOutput(output)
        try gzip.write(contentsOf: Self.content.span)
        try gzip.write(contentsOf: Self.content.span)
        try gzip.finish()
        #expect(try Self.decompressed(output.bytes) == Self.content + Self.content)
        #expect(output.bytes.count < Self.content.count)
    }

    @Test func readsAhead() throws {
        let ahead = BackgroundInput(Bytes(Self.content + Self.content + Self.content))
        #expect(try Self.all(of: ahead) == Self.content + Self.content + Self.content)
        ahead.stop()
        // The content before a failure is read before the failure.
        let failing = BackgroundInput(Bytes(Self.content, failure: .ioError))
        var read: [UInt8] = []
        #expect(throws: Errno.ioError) {
            while true {
                try read.append(addingCapacity: 10_000) { (free) throws(Errno) in try failing.read(into: &free) }
            }
        }
        #expect(read == Self.content)
        // A thread that waits for its reader ends with it.
        BackgroundInput(Bytes([UInt8](repeating: 1, count: 20 << 20))).stop()
    }
}

/// Bytes in memory, and an error behind them.
private final class Bytes: ArchiveInput, ArchiveOutput {
    private(set) var bytes: [UInt8]
    private let failure: Errno?
    private var position = 0

    init(_ bytes: [UInt8], failure: Errno? = nil) {
        self.bytes = bytes
        self.failure = failure
    }

    func read(into buffer: inout OutputSpan<UInt8>) throws(Errno) {
        let count = min(buffer.freeCapacity, bytes.count - position)
        if count == 0, let failure { throw failure }
        buffer.append(copying: bytes.span.extracting(position..<(position + count)))
        position += count
    }

    func write(contentsOf span: Span<UInt8>) throws(Errno) { bytes.append(copying: span) }
}
#endif
