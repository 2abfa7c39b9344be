@testable import LogicalVolumes

import BlockDevices
import Synchronization
import SystemPackage
import TestSupport

/// A disk in memory, which can lose its power: what was written since the last flush is then there in part only.
final class DiskImage: PhysicalStorage {
    struct PowerLost: Error {}

    private struct State {
        var bytes: [UInt8]
        var durable: [UInt8]
        /// How many more writes and flushes happen before the power goes.
        var budget: Int?
    }

    private let length: UInt64
    private let state: Mutex<State>

    /// Makes a disk of `size` bytes that begins with `content` and is zero behind it.
    init(_ content: [UInt8], size: UInt64) {
        length = size
        state = Mutex(State(bytes: content, durable: content))
    }

    func size() -> UInt64 { length }

    func read(offset: UInt64, count: Int) -> [UInt8] {
        state.withLock { state in
            let end = min(length, offset + UInt64(count))
            guard offset < end else { return [] }
            let known = state.bytes.dropFirst(Int(offset)).prefix(Int(end - offset))
            return known + [UInt8](repeating: 0, count: Int(end - offset) - known.count)
        }
    }

    func write(_ bytes: [UInt8], offset: UInt64) throws {
        try state.withLock { state in
            try Self.spend(&state)
            let end = Int(offset) + bytes.count
            if state.bytes.count < end { state.bytes += [UInt8](repeating: 0, count: end - state.bytes.count) }
            state.bytes.replaceSubrange(Int(offset)..<end, with: bytes)
        }
    }

    func flush() throws {
        try state.withLock { state in
            try Self.spend(&state)
            state.durable = state.bytes
        }
    }

    private static func spend(_ state: inout State) throws {
        guard let budget = state.budget else { return }
        guard budget > 0 else { throw PowerLost() }
        state.budget = budget - 1
    }

    /// Lets the power go after so many more writes and flushes; `nil` never.
    func losePower(after budget: Int?) { state.withLock { $0.budget = budget } }

    /// The content of the disk after a loss of power: each sector as it was flushed, or as it was written since then.
    func afterPowerLoss(_ random: inout SeededRandom) -> DiskImage {
        let (bytes, durable) = state.withLock { ($0.bytes, $0.durable) }
        var content = bytes
        for sector in stride(from: 0, to: bytes.count, by: 512) where Bool.random(using: &random) {
            let range = sector..<min(sector + 512, bytes.count)
            let old = durable.dropFirst(sector).prefix(range.count)
            content.replaceSubrange(range, with: old + [UInt8](repeating: 0, count: range.count - old.count))
        }
        return DiskImage(content, size: length)
    }

    var content: [UInt8] { state.withLock { $0.bytes } }
}

/// The content of two disks as real lvm2 has written it.
enum Fixture {
    static let folder = FilePath(#filePath).removingLastComponent().removingLastComponent().removingLastComponent()
        .appending("fixtures/lvm2-2.03.16-direct-lvm")

    static func text(_ name: String) throws -> String { try Shell.run("cat '\(folder.appending(name))'") }

    /// The first mebibyte of a disk.
    static func content(_ name: String) throws -> [UInt8] {
        let scratch = try ScratchDirectory()
        let file = scratch.appending("image")
        try Shell.run("xz -dc '\(folder.appending(name))' >'\(file)'")
        let descriptor = try FileDescriptor.open(file, .readOnly)
        return try descriptor.closeAfter {
            var bytes = [UInt8](repeating: 0, count: 1 << 20)
            let count = try unsafe bytes.withUnsafeMutableBytes { try unsafe descriptor.read(into: $0) }
            return Array(bytes[..<count])
        }
    }

    static func disk(_ name: String) throws -> DiskImage {
        DiskImage(Array(try content(name).prefix(1 << 15)), size: name.contains("pv1") ? 1 << 30 : 2 << 30)
    }
}

extension DiskImage {
    /// Puts a text in force in every metadata area, without a look at what is in force.
    func put(_ text: [UInt8]) throws {
        for place in try PhysicalVolumeLabel.read(self)?.metadataAreas ?? [] {
            var area = try MetadataArea(place, on: self)
            try area.precommit(text)
            try area.commit()
        }
    }
}

extension VolumeGroupMetadata {
    /// Reads the one group on some disks.
    static func only(on disks: [DiskImage], system: LVMSystem = LVMSystem(id: nil)) throws -> VolumeGroupMetadata {
        let devices = try disks.enumerated().compactMap { index, disk in
            try PhysicalVolumeLabel.read(disk).map {
                PhysicalVolumeDevice(disk, path: "disk\(index)", number: nil, label: $0)
            }
        }
        let (groups, damage) = read(from: devices, on: system)
        guard let group = groups.first, groups.count == 1 else {
            throw LogicalVolumeError(.damagedMetadata, damage.joined(separator: "; "))
        }
        return group
    }
}
