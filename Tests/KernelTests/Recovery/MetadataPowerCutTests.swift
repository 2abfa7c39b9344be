import DeviceMapper
import Glibc
import SystemCalls
import SystemPackage
import TestSupport
import Testing

@testable import ThinProvisioning

/// The power fails, or a write does, while a command changes metadata on its own device: what is there then is the metadata from
/// before or from after it.
@Suite(.serialized) struct MetadataPowerCutTests {
    enum Change: CaseIterable {
        case clearNeedsCheck, repairInPlace, renewClock

        func command(on metadata: FilePath, backup: FilePath) -> String {
            switch self {
            case .clearNeedsCheck: "metadata check --clear-needs-check '\(metadata)'"
            case .repairInPlace: "metadata repair --in-place --input '\(metadata)' --backup '\(backup)'"
            case .renewClock: "metadata renew-clock '\(metadata)' --backup '\(backup)'"
            }
        }
    }

    private static let blockSize = 4096
    private let fixture: DMFixture
    /// Loop devices: thin_check and thin_dump cannot read files in memory.
    private let base: FilePath
    private let image: FilePath
    private let repaired: FilePath
    private let backup: FilePath

    init() throws {
        let fixture = try DMFixture()
        func disk(_ name: String) throws -> FilePath {
            FilePath("/dev/loop\(try fixture.disk(name, size: 4 << 20).minor)")
        }
        self.fixture = fixture
        base = try disk("base")
        image = try disk("image")
        repaired = try disk("repaired")
        backup = fixture.scratch.appending("backup")
    }

    /// Makes the metadata from before a change: with the mark that it must be checked, or with a node that is lost.
    private func prepare(_ change: Change) throws -> [UInt8] {
        try Shell.run(
            "xz -dc '\(ProjectFolder.path)/fixtures/thin-metadata/metadata.xz' | dd of='\(base)' bs=1M iflag=fullblock oflag=direct status=none"
        )
        var bytes = try content(base)
        switch change {
        case .clearNeedsCheck:
            bytes[4] = 1
            let sum = unsafe CRC32C.checksum(bytes.span.bytes.extracting(4..<Self.blockSize))
            let sealed = sum ^ MetadataBlock.Kind.superblock.rawValue
            for byte in 0..<4 { bytes[byte] = UInt8(truncatingIfNeeded: sealed >> (8 * byte)) }
        case .repairInPlace:
            // The tree of the bitmaps of the data blocks; the superblock names it.
            let node = Int(bytes[80]) | Int(bytes[81]) << 8
            for place in node * Self.blockSize..<(node + 1) * Self.blockSize { bytes[place] = 0 }
        case .renewClock: break
        }
        try store(bytes, base)
        return bytes
    }

    private func content(_ path: FilePath) throws -> [UInt8] {
        let file = try FileDescriptor.open(path, .readOnly)
        return try file.closeAfter {
            try unsafe [UInt8](unsafeUninitializedCapacity: 4 << 20) { buffer, count in
                count = try unsafe file.read(fromAbsoluteOffset: 0, into: UnsafeMutableRawBufferPointer(buffer))
            }
        }
    }

    private func store(_ bytes: [UInt8], _ path: FilePath) throws {
        let file = try FileDescriptor.open(path, .writeOnly)
        try file.closeAfter {
            _ = try file.writeAll(toAbsoluteOffset: 0, bytes)
            // thin_check reads past the cache.
            try systemCall { fsync(file.rawValue) }
        }
    }

    /// The state of metadata: its superblock's flags, and all mappings; `nil` where it is damaged.
    private func state(_ path: FilePath) throws -> String? {
        guard try Shell.runForStatus("thin_check -q --ignore-non-fatal-errors '\(path)'").status == 0,
            try DMLayerCommand.runForStatus("metadata check '\(path)'").status == 0
        else { return nil }
        return try Shell.run("od -A n -t u4 -j 4 -N 4 '\(path)'; thin_dump '\(path)'")
    }

    /// Whether an image is the state before the change, or the one after it; otherwise it is neither.
    private func isAfter(_ change: Change, _ before: String?, _ after: String, _ original: [UInt8]) throws -> Bool? {
        let found = try state(image)
        if found == after { return true }
        if let before { return found == before ? false : nil }
        // Of damaged metadata the old superblock is there, and a repair finds all that it found before.
        guard try content(image).prefix(Self.blockSize) == original.prefix(Self.blockSize) else { return nil }
        try DMLayerCommand.run("metadata repair --input '\(image)' --output '\(repaired)' --force")
        return try state(repaired) == after ? false : nil
    }

    @Test(arguments: Change.allCases) func outlastsThePower(change: Change) throws {
        let original = try prepare(change)
        let before = try state(base)
        #expect((before == nil) == (change == .repairInPlace))
        // The change, on a device that notes each write and flush.
        let disk = try fixture.disk("disk", size: 4 << 20)
        let journal = try fixture.disk("log", size: 64 << 20)
        try Shell.run("dd if='\(base)' of=/dev/loop\(disk.minor) bs=1M oflag=direct status=none")
        let device = try fixture.device("logged", "0 8192 log-writes \(disk) \(journal)")
        try DMLayerCommand.run(change.command(on: FilePath("/dev/dm-\(device.number.minor)"), backup: backup))
        try fixture.removeClosed(device.number)
        try Shell.run("dd if=/dev/loop\(disk.minor) of='\(image)' bs=1M iflag=direct oflag=direct status=none")
        let after = try #require(try state(image))
        #expect(after != before)

        let log = try WriteLog(FilePath("/dev/loop\(journal.minor)"))
        #expect(log.entries.contains { $0.length > 0 } && log.entries.contains { $0.isFlush })
        var random = SeededRandom(seed: 7)
        var counts = (before: 0, after: 0)
        for moment in 0...log.entries.count {
            let share = moment.isMultiple(of: 2) ? 0 : 0.5
            try store(try cut(log, behind: moment, share, original, &random), image)
            switch try isAfter(change, before, after, original) {
            case true?: counts.after += 1
            case false?: counts.before += 1
            case nil: Issue.record("behind write \(moment) of \(log.entries.count) with \(share) of the cache")
            }
        }
        print("\(change): \(counts.before) cuts left the state before it, \(counts.after) the one after it")
        #expect(counts.before > 0 && counts.after > 0)
    }

    /// The bytes that a disk with a cache may hold after some entries of the log.
    ///
    /// It has all entries before the last flush, and a share of the blocks written from then to the next flush.
    private func cut(
        _ log: WriteLog, behind moment: Int, _ share: Double, _ original: [UInt8], _ random: inout SeededRandom
    ) throws -> [UInt8] {
        let durable = log.entries[..<moment].lastIndex { $0.isFlush } ?? 0
        let end = log.entries[moment...].firstIndex { $0.isFlush } ?? log.entries.endIndex
        var bytes = original
        for (index, entry) in log.entries[..<end].enumerated() {
            let isSure = index < durable || entry.isForced && index < moment
            let data = try log.data(of: entry)
            for start in stride(from: 0, to: data.count, by: Self.blockSize)
            where isSure || Double.random(in: 0..<1, using: &random) < share {
                let place = Int(entry.offset) + start
                bytes.replaceSubrange(
                    place..<place + min(Self.blockSize, data.count - start), with: data[start...].prefix(Self.blockSize)
                )
            }
        }
        return bytes
    }

    /// Each system call that writes to the device or flushes it fails in turn, and from then on all of them.
    @Test(arguments: Change.allCases) func outlastsFailedWrites(change: Change) throws {
        let original = try prepare(change)
        let before = try state(base)
        try store(original, image)
        try DMLayerCommand.run(change.command(on: image, backup: backup))
        let after = try #require(try state(image))
        let calls = "pwrite64,fsync,fdatasync"
        for failing in 1... {
            try Shell.run("rm -f '\(backup)'")
            try store(original, image)
            let (status, output) = try Shell.runForStatus(
                "strace -f -qq -o /dev/null -P '\(image)' -e trace=\(calls) -e inject=\(calls):error=EIO:when=\(failing)+ "
                    + "'\(DMLayerCommand.path)' \(change.command(on: image, backup: backup))")
            let state = try isAfter(change, before, after, original)
            #expect(state != nil, "with the calls from the \(failing)th on failed: \(output)")
            guard status != 0 else {
                #expect(state == true && failing > 2)
                return
            }
            try #require(failing < 100)
        }
    }
}
