import BlockDevices
import DeviceMapper
import LayerStore
import SystemCalls
import SystemPackage
import TestSupport
import Testing

/// Orders of events between two operations that `scripts/stress` has found, each made to happen.
@Suite struct InterleavingTests {
    /// A question about the pool that takes no lock, or an operation that begins with one.
    enum Question: CaseIterable {
        case status, poolReport, poolMetrics, trim, shutdown

        func ask(_ store: LayerStore) throws {
            switch self {
            case .status: _ = try store.status()
            case .poolReport: _ = try store.poolReport()
            case .poolMetrics: _ = try store.poolMetrics()
            case .trim: _ = try store.trim()
            case .shutdown: try store.shutdown()
            }
        }
    }

    @Test(arguments: Question.allCases) func tellsTheStateOfAPoolThatIsTakenDownMeanwhile(question: Question) throws {
        let fixture = try StoreFixture()
        let root = fixture.root
        // The pool has been found, and its table and figures have not been asked for yet.
        fixture.transport.interrupt(before: .tableStatus) {
            let result = Result { try DMLayerCommand.run("--root '\(root)' shutdown") }
            if case .failure(let error) = result { Issue.record(error) }
        }
        try question.ask(fixture.store)
        try fixture.finish()
    }

    @Test func tellsAboutALayerThatIsTakenDownMeanwhile() throws {
        let fixture = try StoreFixture()
        let (root, layer) = (fixture.root, try LayerID("layer"))
        try fixture.store.create(layer)
        _ = try fixture.store.mount(layer)
        fixture.transport.interrupt(after: .deviceStatus) {
            let result = Result { try DMLayerCommand.run("--root '\(root)' unmount layer") }
            if case .failure(let error) = result { Issue.record(error) }
        }
        let details = try fixture.store.details(of: layer)
        #expect(details.mappedBytes == nil)
        #expect(details.mountPath == nil)
        try fixture.finish()
    }

    /// A program that has a loop device open keeps the file attached to it.
    @Test func activatesThePoolWhileALoopDeviceOfTheLastTimeIsOpen() throws {
        let fixture = try StoreFixture()
        let device = try Shell.run(
            "losetup --noheadings --output NAME --associated '\(fixture.root)/devicemapper/metadata'")
        let opened = try FileDescriptor.open(FilePath(device), .readOnly, options: .closeOnExec)
        try fixture.store.shutdown()
        startThread {
            pause(for: .milliseconds(1500))
            // Nothing was written through it.
            try? opened.close()
        }
        try fixture.store.create(LayerID("layer"))
        try fixture.finish()
    }
}
