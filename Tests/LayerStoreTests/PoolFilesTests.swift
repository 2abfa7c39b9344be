import DeviceMapper
import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

@testable import LayerStore

/// One look at the disk never says that there is enough where an exact look at the files says that there is not.
struct PoolFilesTests {
    @Test func isNeverTooHopeful() throws {
        var random = SeededRandom(seed: 3)
        func figure(_ largest: UInt64) -> UInt64 {
            UInt64.random(in: 0...largest >> UInt64.random(in: 0..<40, using: &random), using: &random)
        }
        func file(_ name: String, _ size: UInt64, _ allocated: UInt64, _ diskFree: UInt64) -> FileSpace {
            FileSpace(
                path: FilePath("/\(name)"), size: size, allocated: allocated, diskFree: diskFree, diskSize: 1 << 40)
        }
        var sufficient = 0
        for _ in 0..<20_000 {
            let (dataBlocks, metadataBlocks) = (figure(1 << 20) + 1, figure(1 << 16) + 1)
            let line =
                "0 \(figure(metadataBlocks))/\(metadataBlocks) \(figure(dataBlocks))/\(dataBlocks) - rw discard_passdown "
                + "queue_if_no_space - 1024"
            guard case .available(let state) = try ThinPoolStatus(parsing: line, blockSize: 128) else { continue }
            let percent = Int.random(in: 0...99, using: &random)
            let diskFree = figure(1 << 38)
            let metadataSize = state.metadata.totalBytes
            let kept = figure(metadataSize)
            let files = PoolFiles(
                data: file("data", state.data.totalBytes, figure(state.data.totalBytes), figure(1 << 38)),
                metadata: file("metadata", metadataSize, kept, figure(1 << 38)))
            guard files.suffice(for: state, diskFree: diskFree, percent: percent) else { continue }
            sufficient += 1
            let data = file("data", state.data.totalBytes, figure(state.data.totalBytes), diskFree)
            let metadata = file("metadata", metadataSize, max(kept, figure(metadataSize)), diskFree)
            #expect(data.shortage(for: state.data, percent: percent) == nil)
            #expect(metadata.shortage(for: state.metadata, percent: percent) == nil)
        }
        #expect(sufficient > 500)
    }

    @Test func looksAgainWhenThePoolHasGrown() throws {
        func state(metadataBlocks: Int) throws -> ThinPoolState? {
            let line = "0 10/\(metadataBlocks) 10/1000 - rw discard_passdown queue_if_no_space - 1024"
            guard case .available(let state) = try ThinPoolStatus(parsing: line, blockSize: 128) else { return nil }
            return state
        }
        let file = FileSpace(
            path: FilePath("/f"), size: 4 << 20, allocated: 4 << 20, diskFree: 1 << 40, diskSize: 1 << 40)
        let files = PoolFiles(data: file, metadata: file)
        #expect(files.suffice(for: try #require(try state(metadataBlocks: 1024)), diskFree: 1 << 40, percent: 10))
        #expect(!files.suffice(for: try #require(try state(metadataBlocks: 1025)), diskFree: 1 << 40, percent: 10))
        #expect(!files.suffice(for: try #require(try state(metadataBlocks: 1024)), diskFree: 0, percent: 10))
    }
}
