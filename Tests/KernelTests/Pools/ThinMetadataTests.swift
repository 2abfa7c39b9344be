import DeviceMapper
import Glibc
import Synchronization
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

/// The reader of a pool's metadata on pools that are active, and that change while they are read.
struct ThinMetadataTests {
    private let fixture: DMFixture
    private let pool: ThinPool
    private let metadata: FilePath

    init() throws {
        fixture = try DMFixture()
        let disk = try fixture.disk("metadata", size: 4 << 20)
        let data = try fixture.disk("data")
        metadata = FilePath("/dev/loop\(disk.minor)")
        try fixture.device("pool", "0 131072 thin-pool \(disk) \(data) 128 0 1 skip_block_zeroing")
        pool = try ThinPool(fixture.control, open: .name(fixture.name("pool")))
    }

    private func id(_ number: Int) throws -> ThinDeviceID { try #require(ThinDeviceID(number)) }

    /// Writes 4 KiB into some blocks of a thin device, and flushes.
    private func write(_ blocks: some Sequence<Int>, to number: Int) throws {
        let device = try pool.activate(
            id(number), name: fixture.name("thin"), uuid: nil, length: Sectors(wholeSectorsIn: 64 << 20))
        let file = try FileDescriptor.open(FilePath("/dev/dm-\(device.number.minor)"), .writeOnly)
        for block in blocks {
            try file.writeAll(toAbsoluteOffset: Int64(block) << 16, [UInt8](repeating: 1, count: 4096))
        }
        #expect(fsync(file.rawValue) == 0)
        try file.close()
        try fixture.removeClosed(device.number)
    }

    /// The metadata as thin-provisioning-tools find it in a copy on a file system that they can read directly.
    private func tools(_ body: (FilePath) throws -> Void) throws {
        let disk = fixture.scratch.appending("disk"), copies = try fixture.scratch.makeDirectory("copies")
        try Shell.run(
            """
            truncate --size=32M '\(disk)' && mkfs.ext4 -q '\(disk)' && mount -o loop '\(disk)' '\(copies)'
            dd if=\(metadata) of='\(copies)/metadata' bs=64k iflag=direct status=none
            thin_check --quiet '\(copies)/metadata'
            """)
        try body(copies.appending("metadata"))
    }

    private func summary(_ metadata: ThinPoolMetadata) throws -> [String] {
        try metadata.devices().map { "\($0.id) \($0.mappedBlocks) \(try metadata.exclusiveBlocks(of: $0.id))" }
    }

    private func ranges(of number: Int, in metadata: ThinPoolMetadata) throws -> [String] {
        var ranges: [String] = []
        try metadata.mappings(of: id(number)) {
            ranges.append("\($0.thinBlocks.lowerBound) \($0.thinBlocks.count) \($0.dataBlock)")
        }
        return ranges
    }

    @Test func agreesWithTheToolsOnAPoolThatIsActive() throws {
        try pool.createDevice(id(1))
        try write(stride(from: 0, through: 900, by: 3), to: 1)
        try pool.createSnapshot(id(2), of: id(1))
        try write(stride(from: 30, through: 60, by: 3), to: 2)
        let read = try ThinPoolMetadata(reading: ThinMetadataDevice(metadata))
        let (devices, mappings) = (try summary(read), try ranges(of: 2, in: read))
        #expect(devices == ["1 301 11", "2 301 11"])
        #expect(mappings.count == 301)
        #expect(try read.isCurrent())

        // The metadata is held, and goes on without the reader.
        try pool.reserveMetadataSnapshot()
        try pool.createSnapshot(id(3), of: id(2))
        try write(0...10, to: 1)
        #expect(try !read.isCurrent())
        guard case .available(let state) = try pool.status() else { throw Failed() }
        let held = try ThinPoolMetadata(reading: ThinMetadataDevice(metadata), heldRoot: state.heldMetadataRoot)
        #expect(try ranges(of: 2, in: held) == mappings)
        #expect(try held.devices().map(\.id.value) == [1, 2])
        let one = try id(1)
        let error = #expect(throws: ThinMetadataError.self) { try held.exclusiveBlocks(of: one) }
        #expect(error?.code == .noReferenceCounts)
        let present = try ThinPoolMetadata(reading: ThinMetadataDevice(metadata))
        #expect(present.superblock.heldRoot == state.heldMetadataRoot)
        #expect(present.superblock.time == 2)
        try pool.releaseMetadataSnapshot()

        let last = try summary(ThinPoolMetadata(reading: ThinMetadataDevice(metadata)))
        try fixture.control.removeDevice(.number(pool.number))
        try tools { file in
            let listed = try Shell.run("thin_ls --no-headers -o DEV,MAPPED_BLOCKS,EXCLUSIVE_BLOCKS '\(file)'")
            #expect(listed.split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") } == last)
        }
    }

    /// A held snapshot of the metadata keeps what it refers to, and only that: as the pool itself does when a device is
    /// deleted.
    @Test func countsNothingAsExclusiveThatAHeldSnapshotKeeps() throws {
        func used() throws -> UInt64 {
            guard case .available(let state) = try pool.status(flushing: true) else { throw Failed() }
            return state.data.used
        }
        /// The reader's number of exclusive blocks, and the number of blocks that deleting the device then frees.
        func delete(_ number: Int) throws -> [UInt64] {
            let read = try ThinPoolMetadata(reading: ThinMetadataDevice(metadata))
            let (exclusive, before) = (try read.exclusiveBlocks(of: id(number)), try used())
            try pool.deleteDevice(id(number))
            return [exclusive, before - (try used())]
        }
        for number in 1...4 {
            try pool.createDevice(id(number))
            try write(0..<20, to: number)
        }
        #expect(try delete(1) == [20, 20])
        try pool.reserveMetadataSnapshot()
        // Nothing has changed since, so that only the root of all devices is counted twice.
        let read = try ThinPoolMetadata(reading: ThinMetadataDevice(metadata))
        let counts = try read.devices().map { try read.exclusiveBlocks(of: $0.id) }
        #expect(counts == [0, 0, 0])
        #expect(try delete(2) == [0, 0])
        // Written since, over what is held, which stays where it is, and beside it.
        try write(10..<30, to: 3)
        #expect(try delete(3) == [10, 10])
        try pool.createDevice(id(5))
        try write(0..<20, to: 5)
        #expect(try delete(5) == [20, 20])
        try pool.releaseMetadataSnapshot()
        #expect(try delete(4) == [20, 20])
        #expect(try used() == 0)
    }

    /// Where the thin device has no block, the kernel reads its external origin, and zeros behind the origin's end.
    @Test func readsTheExternalOriginAsTheKernelDoes() throws {
        // It ends in the middle of a page of the thin device, and before the device does.
        let origin = try fixture.disk("origin", size: (1 << 20) + 512)
        try Shell.run("yes origin | head -c \((1 << 20) + 512) > /dev/loop\(origin.minor) && sync")
        try pool.createDevice(id(1))
        let device = try pool.activate(
            id(1), name: fixture.name("thin"), uuid: nil, length: Sectors(wholeSectorsIn: 2 << 20),
            externalOrigin: origin)
        try Shell.run(
            "yes thin | dd of=/dev/dm-\(device.number.minor) bs=4k seek=20 count=5 iflag=fullblock oflag=direct status=none"
        )
        let kernel = try Shell.run("sha256sum < /dev/dm-\(device.number.minor)")
        _ = try pool.status(flushing: true)
        guard
            let target = try fixture.control.table(of: .number(pool.number)).entries.first?.target.as(
                ThinPoolTarget.self),
            case .number(let data) = target.dataDevice
        else { throw Failed() }
        let read = try ThinPoolMetadata(reading: ThinMetadataDevice(metadata))
        func content(_ origin: FilePath?) throws -> String {
            let content = try ThinDeviceContent(
                of: id(1), in: read, data: FilePath("/dev/loop\(data.minor)"), externalOrigin: origin)
            let file = fixture.scratch.appending("content")
            let copy = try FileDescriptor.open(
                file, .writeOnly, options: [.create, .truncate], permissions: .ownerReadWrite)
            try copy.closeAfter { _ = try copy.writeAll(try content.read(offset: 0, count: 2 << 20)) }
            return try Shell.run("sha256sum < '\(file)'")
        }
        #expect(try content(FilePath("/dev/loop\(origin.minor)")) == kernel)
        #expect(try content(nil) != kernel)
    }

    private struct Failed: Error {}

    @Test func readsWhileThePoolChanges() throws {
        try pool.createDevice(id(1))
        try write(stride(from: 0, through: 900, by: 2), to: 1)
        let isDone = Atomic(false)
        let hasRead = Atomic(false)
        // The reader works while the writer makes snapshots with blocks of their own, and deletes them again.
        let results = onThreads(2) { thread in
            if thread == 0 {
                defer { isDone.store(true, ordering: .relaxed) }
                return Passes(rounds: try makeSnapshots(until: hasRead))
            }
            var passes = Passes()
            let source = try ThinMetadataDevice(metadata)
            while !isDone.load(ordering: .relaxed) {
                try passes.count(check(source))
                if passes.consistent >= 3, passes.overtaken >= 3 { hasRead.store(true, ordering: .relaxed) }
            }
            return passes
        }
        let rounds = try results[0].get().rounds
        let passes = try results[1].get()
        #expect(passes.consistent > 0 && passes.overtaken > 0, "\(passes), \(rounds) snapshots")

        // Also across commits there is an answer that belongs to one state.
        let devices = try ThinPoolMetadata.consistently(reading: ThinMetadataDevice(metadata)) { try $0.devices() }
        #expect(devices.map(\.id.value) == [1] + (UInt32(rounds) - 7...UInt32(rounds)))
    }

    private struct Passes {
        var rounds = 0
        var consistent = 0
        var overtaken = 0

        mutating func count(_ isConsistent: Bool) {
            if isConsistent { consistent += 1 } else { overtaken += 1 }
        }
    }

    /// Makes snapshots, of which the pool has eight at a time.
    private func makeSnapshots(until isEnough: borrowing Atomic<Bool>) throws -> Int {
        for round in 2...500 {
            try pool.createSnapshot(id(round), of: id(1))
            try write([round, round + 100], to: round)
            if round >= 10 { try pool.deleteDevice(id(round - 8)) }
            if round >= 20, isEnough.load(ordering: .relaxed) { return round }
            if round % 8 == 0 { usleep(100_000) }
        }
        return 500
    }

    /// Reads all there is.
    ///
    /// - Returns: Whether no commit came between; then everything must agree.
    private func check(_ source: ThinMetadataDevice) throws -> Bool {
        do {
            let read = try ThinPoolMetadata(reading: source)
            var counts: [(device: ThinDeviceDetails, mapped: UInt64, exclusive: UInt64)] = []
            for device in try read.devices() {
                var mapped: UInt64 = 0
                try read.mappings(of: device.id) { mapped += UInt64($0.thinBlocks.count) }
                counts.append((device, mapped, try read.exclusiveBlocks(of: device.id)))
            }
            guard try read.isCurrent() else { return false }
            for (device, mapped, exclusive) in counts {
                // The details of the one that is in use are written later than its mappings.
                #expect(mapped == device.mappedBlocks || device == counts.last?.device, "\(device), \(mapped) mapped")
                #expect(exclusive <= mapped)
            }
            return true
        } catch let error as ThinMetadataError {
            #expect([.inconsistent, .noSuchDevice].contains(error.code), "\(error)")
            return false
        }
    }
}
